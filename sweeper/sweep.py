"""A sweep as an object, for notebooks and scripts: what the commands do, by the same code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from sweep_plugins import PluginError, UnknownNameError
from sweeper.errors import RequestError, SweepError, as_sweep_error
from sweeper.home import Home, expanded
from sweeper.permissions import private_files
from sweeper.scheduling.stored_spec import stored_spec
from sweeper.settings.arguments import Options, settings_of_arguments
from sweeper.settings.resolve import Settings
from sweeper.spec.files import SpecFile, read_spec_file
from sweeper.spec.plain_data import as_spec_file, overrides_of
from sweeper.spec.spec import Spec, read_spec
from trainers.models.counting import read_counts, write_counts

if TYPE_CHECKING:
    import pandas as pd

    from results.frames import Results, Texts
    from results.records import SweepStatus
    from results.store.store import Store
    from sweeper.planning.plan import Plan
    from sweeper.scheduling.signals import StopRequest

    AnySpec = str | os.PathLike[str] | Mapping[str, Any]


class Sweep:
    """A sweep that a spec describes, or that the database has.

    A method raises an error of `sweeper.errors` where the command of its name ends with an exit
    code. DataFrames have the units and types that `results.frames.Results` describes.

    Attributes:
        name: of the sweep.
        spec: as it was read, with the config of every run.
        settings: what holds, and where it comes from.
    """

    spec: Spec
    settings: Settings

    def __init__(
        self,
        spec: AnySpec,
        *,
        set: Iterable[str] | Mapping[str, Any] = (),  # noqa: A002 - the option's name
        same_code: bool = False,
        progress: bool = True,
        **options: Unpack[Options],
    ) -> None:
        """Read and check a spec; nothing is written.

        Args:
            spec: a file, the name of a shipped spec, YAML as a text of several lines, or a dict.
            set: changes of it: "path=value" as after `--set`, or a dict of values by path.
            same_code: accept results of code that was edited since, as `--same-code`.
            progress: whether to tell on stderr what happens.

        Raises SpecError or RequestError for what is wrong.
        """
        with _known_errors():
            file = _file_of(spec)
            settings = settings_of_arguments(options, file.folder if file.is_on_disk else None)
            changes = overrides_of(set)
            self._read(file, changes, settings, same_code=same_code, progress=progress)

    @classmethod
    def of(
        cls,
        file: SpecFile,
        overrides: Sequence[str],
        settings: Settings,
        command: str,
        *,
        same_code: bool = False,
        stored: bool = False,
    ) -> Self:
        """The sweep of a command of this name, whose options were resolved.

        Args:
            stored: whether the spec is as the database has it.
        """
        sweep = cls.__new__(cls)
        sweep._read(file, overrides, settings, command=command, same_code=same_code, stored=stored)
        return sweep

    @classmethod
    def stored(
        cls,
        name: str | None = None,
        *,
        imported: bool = False,
        same_code: bool = False,
        progress: bool = True,
        **options: Unpack[Options],
    ) -> Self:
        """A sweep that the database has, without its file.

        Args:
            name: None for the one that ran here last.
            imported: also one that an archive brought, whose spec may name code to run.
            same_code: see `Sweep`.
            progress: whether to tell on stderr what happens.
        """
        with _known_errors():
            settings = settings_of_arguments(options)
            file, overrides = stored_spec(settings.home, name, imported=imported)
            sweep = cls.__new__(cls)
            sweep._read(
                file, overrides, settings, same_code=same_code, progress=progress, stored=True
            )
            return sweep

    def _read(
        self,
        file: SpecFile,
        overrides: Sequence[str],
        settings: Settings,
        *,
        progress: bool = True,
        command: str | None = None,
        same_code: bool = False,
        stored: bool = False,
    ) -> None:
        _check_executor(settings)
        self.settings = settings
        self._home = settings.home
        self._progress = progress
        self._stop: StopRequest | None = None
        read_counts(self._home.networks)
        try:
            self.spec = read_spec(file, overrides, settings.beneath, stored=stored)
        except RequestError as error:
            if not stored:
                raise
            raise RequestError(
                f"{error}; so the sweep was stored by another version of sweep or of a plug-in:"
                " correct its spec and name the file, sweep run FILE, which keeps what is done"
            ) from error
        self._same_code = same_code
        self._accepted: list[str] = []
        if same_code:
            from sweeper.planning.edited_code import with_accepted_code

            with private_files():
                edited, self.spec = with_accepted_code(self.spec, self._home.database)
            self._accepted = [each.accepted() for each in edited]
        self.name = self.spec.name
        # The arguments of somebody else's program may hold secrets, and others are told.
        self._command = f"sweeper.run({self.name})" if command is None else command

    def __repr__(self) -> str:
        runs = len(self.spec.configs)
        return f"<Sweep {self.name}: {runs} run{'' if runs == 1 else 's'}, in {self._home.folder}>"

    def run(self) -> Self:
        """Train, evaluate and store what the database lacks, as `sweep run`.

        After any interruption the same call goes on. In the main thread, Control-C (in a notebook,
        Interrupt) stops when the current epochs are done, and a second one at once.

        Raises:
            RunsFailedError: all is done but for runs that failed or were cancelled.
            Interrupted: by Control-C, a signal or `stop`; what was done is kept.
            ResourceError: such as a database that another driver works on, or no dataset.
        """
        from sweeper.scheduling.execution import Execution, execute
        from sweeper.scheduling.progress import Progress, make_progress
        from sweeper.scheduling.signals import StopRequest
        from trainers.streams import working
        from trainers.torch_setup import give_torch_back

        given = self.settings.values
        where = Execution(
            given["executor"],
            given["ray_address"],
            given["slots"],
            given["ray_dashboard"],
            given["grace"],
            self._command,
            self.settings.as_options(),
            given["device"],
        )
        self._stop = StopRequest(given["grace"])
        with _known_errors(self._home), private_files(), ExitStack() as stack:
            tell = _teller(self._progress)
            # Before the progress, which keeps the stream on which it is shown.
            stack.enter_context(working())
            if self._progress:
                progress = make_progress(self._home.options)
            else:
                progress = Progress(stack.enter_context(open(os.devnull, "w")))
            stack.callback(give_torch_back)
            for sentence in self.edits():
                tell(sentence)
            execute(self.spec, self._home, where, tell, progress, self._stop)
        return self

    def edits(self) -> list[str]:
        """What it means for this sweep that code was edited since its runs were stored."""
        if self._same_code or not self.spec.code:
            return self._accepted
        from sweeper.planning.edited_code import edited_code

        return [edited.sentence() for edited in edited_code(self.spec, self._home.database)]

    def stop(self) -> None:
        """Ask a `run` in another thread to stop when the current epochs are done."""
        if self._stop is not None:
            self._stop.asked = True

    def planned(self) -> Plan:
        """What would run, as JSON, and what its work comes to."""
        from sweeper.planning.gpu_models import models_here
        from sweeper.planning.plan import planned

        given = self.settings.values
        here = models_here() if given["ray_address"] is None else []
        found = planned(self.spec, self._home.database, given["device"], here)
        write_counts(self._home.networks)
        return found

    def plan(self) -> pd.DataFrame:
        """What would run, as `sweep plan`: one row a run, with its state and `estimated_seconds`.

        `settings` has what else varies among the runs, by path. What the command says besides, such
        as that code was edited, goes to stderr.
        """
        from results.frames import frame
        from sweeper.planning.remarks import remarks

        with _known_errors(self._home), private_files():
            tell = _teller(self._progress)
            plan = self.planned()
            rows = plan.rows
            for sentence in (*self.edits(), *plan.work.sentences(), *remarks(self.spec)):
                tell(sentence)
            if refusal := plan.work.refusal():
                raise RequestError(refusal)
            kinds = dict.fromkeys(("evaluations", "settings", "metrics"), "object")
            kinds |= dict.fromkeys(("estimated_from", "device"), "string")
            kinds |= dict.fromkeys(("starting_multiplier", "memory_bytes"), "Int64")
            return frame(rows, list(rows[0]), more_kinds=kinds)

    def status(self) -> pd.DataFrame:
        """How far it is, as `sweep status`: one row."""
        from results.frames import frame

        with _known_errors(self._home):
            (found,) = self._ask_status()
            row = {
                "sweep": found.sweep,
                "runs": found.runs,
                **found.counts,
                "imported": found.imported,
                "train_seconds": found.train_seconds,
                "rate_per_hour": found.rate_per_hour,
                "seconds_left": found.seconds_left,
            }
            kinds = dict.fromkeys((*found.counts, "imported"), "Int64")
            return frame([row], list(row), more_kinds=kinds)

    def failures(self) -> pd.DataFrame:
        """Why runs failed: one row for each that did."""
        from results.frames import frame

        with _known_errors(self._home):
            (found,) = self._ask_status()
            columns = ("run_id", "label", "attempts", "error", "imported")
            rows = [{key: getattr(at, key) for key in columns} for at in found.failures]
            kinds = {"label": "string", "error": "string"}
            return frame(rows, columns, more_kinds=kinds)

    def _ask_status(self) -> list[SweepStatus]:
        from results.queries.queries import Queries

        with Queries.open(self._home.database) as queries:
            return queries.status(self.name)

    def report(
        self, group_by: Texts | None = None, metrics: Texts | None = None, where: Texts = ()
    ) -> pd.DataFrame:
        """Means and standard deviations over its runs, as `sweep report`; one row a group."""
        with _known_errors(self._home), self.results() as lab:
            return lab.report(group_by, metrics, where, self.name)

    def runs(self, where: Texts = ()) -> pd.DataFrame:
        """One row a run, as `results.frames.Results.runs`."""
        with _known_errors(self._home), self.results() as lab:
            return lab.runs(self.name, where)

    def epochs(self, where: Texts = ()) -> pd.DataFrame:
        """One row an epoch of a done run, with what the built-in trainer measures at each.

        What other trainers report under names of their own has `epoch_metrics`.
        """
        with _known_errors(self._home), self.results() as lab:
            return lab.epochs(self.name, where)

    def evaluations(self, where: Texts = ()) -> pd.DataFrame:
        """One row a measurement of a trained network."""
        with _known_errors(self._home), self.results() as lab:
            return lab.evaluations(self.name, where)

    def metrics(self, where: Texts = ()) -> pd.DataFrame:
        """One row a metric that a trainer reported under a name of its own, at the run's end."""
        with _known_errors(self._home), self.results() as lab:
            return lab.metrics(self.name, where)

    def epoch_metrics(self, where: Texts = ()) -> pd.DataFrame:
        """One row a value of such a metric at an epoch."""
        with _known_errors(self._home), self.results() as lab:
            return lab.epoch_metrics(self.name, where)

    def files(self, where: Texts = ()) -> pd.DataFrame:
        """One row a file that a run keeps, with `path`, `size` in bytes and `sha256`."""
        with _known_errors(self._home), self.results() as lab:
            return lab.files(self.name, where)

    def fetch_files(
        self, run: str, folder: str | os.PathLike[str], patterns: Sequence[str] = ()
    ) -> None:
        """Write files that a run keeps into a folder, as `sweep files RUN PATTERN... --output`."""
        from sweeper.run_files.fetching import fetch
        from sweeper.run_files.listing import list_files

        with _known_errors(self._home):
            tell = _teller(self._progress)
            fetch(list_files(self._home, run, patterns), self._home, expanded(Path(folder)), tell)

    @contextmanager
    def results(self) -> Iterator[Results]:
        """The whole database, read only, in a `with` block."""
        from results.frames import Results

        with _known_errors():
            lab = Results.open(self._home.database)
        with lab:
            yield lab

    def retry(self, *, failed: bool = False) -> int:
        """Queue failed and cancelled runs again, or the `failed` alone; how many. Then `run`."""
        with _known_errors(self._home), private_files(), self._store() as store:
            return store.retry(self.name, None, only_failed=failed)

    def cancel(self) -> int:
        """Take all runs out of the queue, and stop those that train; how many these are."""
        with _known_errors(self._home), private_files(), self._store() as store:
            return store.cancel(self.name, None)

    def _store(self) -> Store:
        from results.store.store import Store

        return Store.open(self._home.database, create=False)


def run(
    spec: AnySpec,
    *,
    set: Iterable[str] | Mapping[str, Any] = (),  # noqa: A002
    same_code: bool = False,
    progress: bool = True,
    **options: Unpack[Options],
) -> Sweep:
    """Read a spec and run it: `Sweep(...).run()`."""
    return Sweep(spec, set=set, same_code=same_code, progress=progress, **options).run()


def resume(
    name: str | None = None,
    *,
    imported: bool = False,
    same_code: bool = False,
    progress: bool = True,
    **options: Unpack[Options],
) -> Sweep:
    """Continue a sweep without its file: `Sweep.stored(...).run()`."""
    return Sweep.stored(
        name, imported=imported, same_code=same_code, progress=progress, **options
    ).run()


def _file_of(spec: AnySpec) -> SpecFile:
    if isinstance(spec, Mapping) or (isinstance(spec, str) and "\n" in spec):
        return as_spec_file(spec)
    return read_spec_file(expanded(Path(spec)))


def _check_executor(settings: Settings) -> None:
    """Raises RequestError, which names the line of the file, or the option."""
    if settings.origins["executor"] == "default":
        return
    from sweeper.executors import EXECUTORS

    try:
        EXECUTORS.check(settings.values["executor"])
    except (UnknownNameError, PluginError) as error:
        raise RequestError(f"{settings.origins['executor']}: {error}") from None


def _teller(aloud: bool) -> Callable[[str], None]:
    """What sentences for the user are told by."""
    from sweeper.scheduling.progress import say

    return say if aloud else lambda sentence: None


@contextmanager
def _known_errors(home: Home | None = None) -> Iterator[None]:
    """Errors of other packages become those of `sweeper.errors`."""
    try:
        yield
    except SweepError:
        raise
    except Exception as error:
        known = as_sweep_error(error) or (home.damage() if home is not None else None)
        if known is None:
            raise
        raise known from error
