"""Questions to the results database. Nothing here writes, nor waits for a driver."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self, cast

from sqlalchemy import Connection, func, select

from results.database.base import Database, DatabaseClient
from results.database.connect import connect
from results.database.dialects import is_one_of, rows_as_dicts
from results.queries import sources
from results.queries.code_states import add_code_states
from results.queries.columns import StoredColumns
from results.queries.costs import cost_samples
from results.queries.default_metrics import default_metric, measured_by_default
from results.queries.filters import compile_filters, names_state, results_unless_asked
from results.queries.latest import Latest, latest_values
from results.queries.parts import (
    list_epochs,
    list_evaluations,
    list_metrics,
    list_parts,
    list_probes,
)
from results.queries.rows import add_numbers, list_options, list_runs, passing_runs
from results.queries.selection import Selection, chosen_sweeps
from results.queries.status import sweep_status
from results.queries.sweeps import list_specs, list_sweeps
from results.queries.watching import run_progress, running_runs
from results.records import (
    CostSample,
    DatabaseIdentity,
    KeptRun,
    Row,
    RunningRun,
    RunProgress,
    RunRow,
    SweepStatus,
)
from results.run_columns import DETAIL_KEYS
from results.schema.bounds import MOMENT
from results.schema.tables import (
    CODE_OF_ATTEMPTS,
    IS_IN_A_SWEEP,
    attempts,
    blocks,
    drivers,
    epoch_metrics,
    epochs,
    files,
    imports,
    metadata,
    metrics,
    probes,
    run_notes,
    runs,
    sweep_runs,
    sweeps,
)
from results.store import labels
from results.store.kept_runs import list_kept_runs
from results.store.leases import any_works, identity_of
from results.store.sweeps import full_run_id

_REFERENCES = frozenset({attempts.c.driver_id, attempts.c.import_id})


class Queries(DatabaseClient):
    """Reads a results database. Open it with a URL, and close it, or use it with `with`.

    Accuracies are percent, times seconds, parameters counts. Every method raises DatabaseError
    if the file cannot be read.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._pinned: Connection | None = None

    @classmethod
    def open(cls, url: str) -> Self:
        """Opens `sqlite:///path` or `postgresql://user@host/name` read only.

        Raises NoDatabaseError if there is no such database, DatabaseError if the URL is not
        supported, or the database cannot be read, or is no sweep database.
        """
        return cls(connect(url, "read"))

    def view(self) -> AbstractContextManager[Connection]:
        """One consistent view of the database.

        Keep it short: fetch the rows, leave the block, then work on them.
        """
        return nullcontext(self._pinned) if self._pinned else self._database.reading()

    @contextmanager
    def one_view(self) -> Iterator[None]:
        """Inside the block all answers are about the same moment."""
        with self._database.reading() as self._pinned:
            try:
                yield
            finally:
                self._pinned = None

    def sweep_names(self) -> list[str]:
        """The names of all sweeps, the one saved first in front."""
        with self.view() as connection:
            return list(chosen_sweeps(connection, ()).values())

    def run_ids(self, sweep: str) -> set[str]:
        """The ids of the runs of a sweep; none if there is no such sweep."""
        of_sweep = select(sweep_runs.c.run_id).join(sweeps).where(sweeps.c.name == sweep)
        with self.view() as connection:
            return set(connection.scalars(of_sweep))

    def run_rows(
        self,
        sweeps: Sequence[str] = (),
        *,
        run_ids: Iterable[str] | None = None,
        where: Sequence[str] = (),
        config: bool = False,
        learned_coefficients: bool = False,
        more_keys: Sequence[str] = (),
        metrics: Sequence[str] = (),
        keys: Sequence[str] = (),
    ) -> list[RunRow]:
        """The runs of these sweeps, or of the whole database, as JSON objects (RUN_KEYS).

        A run in several sweeps is one row, whose `sweep` names them all, joined by commas; only
        those asked for, if any are. `evaluations` are those that its sweeps ask for, in their
        order, with accuracy None until measured; if no sweep is asked for, those measured for
        sweeps of the past come after them. Should two different measurements share a name, both
        get the start of their ids, as in "gaussian[0.3]@1f09ab", so that no report mixes them.

        `run_ids` keeps only these runs (unknown ones are left out), `where` those that pass all
        filters (`results.queries.filters`). `config`, `learned_coefficients` and `more_keys`, other
        columns of `runs`, add these keys at the end. `metrics` and `keys` are what the rows will be
        asked for by `results.queries.row_columns`: if any of them are given, `numbers` has those
        that no other key has, by name (`results.queries.further_numbers`).
        In the order of the sweeps; runs in no sweep come last.

        Raises UnknownSweepError, UnknownColumnError and BadFilterError.
        """
        more = ["config"] * config + ["learned_coefficients"] * learned_coefficients
        more += more_keys
        with self.view() as connection:
            selection = Selection(connection, sweeps, run_ids)
            rows = list_runs(connection, selection, where, more)
            if metrics or keys:
                add_numbers(connection, selection, rows, metrics, keys)
            return rows

    def options(
        self, sweeps: Sequence[str] = (), *, where: Sequence[str] = ()
    ) -> dict[str, dict[str, Any]]:
        """The options of the runs that `run_rows` gives for the same arguments, by run id.

        Such as {"options.alpha": 0.1, "options.net.depth": 2}; runs without any are missing. Raises
        as `run_rows`.
        """
        with self.view() as connection:
            return list_options(connection, Selection(connection, sweeps), where)

    def epoch_rows(
        self, sweeps: Sequence[str] = (), *, where: Sequence[str] = (), every: int = 1
    ) -> list[Row]:
        """The epochs of the runs that `run_rows` gives for the same arguments, in its order.

        Of runs that are not done, whose last attempt reported them, only if a filter is about
        `state`: such as "state=running".
        Keys: `run_id`, `epoch`, `learning_rate`, `train_loss`, `train_accuracy`, `test_loss`,
        `test_accuracy`, `seconds`. One epoch in `every`, the last among them. Raises as `run_rows`.
        """
        with self.view() as connection:
            return list_epochs(connection, Selection(connection, sweeps), where, every)

    def evaluation_rows(
        self, sweeps: Sequence[str] = (), *, where: Sequence[str] = ()
    ) -> list[Row]:
        """What was measured of the runs that `run_rows` gives for the same arguments.

        Of the evaluations that these sweeps ask for, or of all if none is named. Keys: `run_id`,
        `evaluation_id`, `evaluation` (its name), `kind`, `level`, `accuracy`, `loss`, `imported`.
        Raises as `run_rows`.
        """
        with self.view() as connection:
            return list_evaluations(connection, Selection(connection, sweeps), where)

    def probe_rows(
        self,
        sweeps: Sequence[str] = (),
        *,
        where: Sequence[str] = (),
        probes: Iterable[str] | None = None,
    ) -> list[Row]:
        """What probes measured of the runs that `run_rows` gives for the same arguments.

        `probes` keeps only those of these names; one that measured nothing adds none.
        Keys: `run_id`, `probe`, `quantity`, `epoch` (0: before training), `layer` ('': the whole
        network), `value` (None: not finite). In the order of the runs; of each run by probe,
        quantity, epoch, and from the input of the network on. Raises as `run_rows`.
        """
        with self.view() as connection:
            return list_probes(connection, Selection(connection, sweeps), where, probes)

    def metric_rows(self, sweeps: Sequence[str] = (), *, where: Sequence[str] = ()) -> list[Row]:
        """What trainers reported under names of their own, of the runs that `run_rows` gives.

        Keys: `run_id`, `metric` (its name), `value` (at the end of the run; None: not finite), and
        what the trainer said of it: `better`, `unit`, `decimals`, `label`. In the order of the
        runs, of each by name. Raises as `run_rows`.
        """
        with self.view() as connection:
            return list_metrics(connection, Selection(connection, sweeps), where, metrics)

    def epoch_metric_rows(
        self,
        sweeps: Sequence[str] = (),
        *,
        where: Sequence[str] = (),
        metrics: Iterable[str] | None = None,
        every: int = 1,
    ) -> list[Row]:
        """The same at each epoch, or at whatever the trainer counts by; of these `metrics` only.

        Keys: `run_id`, `metric`, `epoch`, `value` (None: not finite). In the order of the runs, of
        each by name and epoch; one epoch in `every`, the last among them. Of runs that are not done
        as `epoch_rows`. Raises as `run_rows`.
        """
        with self.view() as connection:
            selection = Selection(connection, sweeps)
            return list_metrics(connection, selection, where, epoch_metrics, metrics, every)

    def count_epochs(
        self,
        sweeps: Sequence[str] = (),
        *,
        where: Sequence[str] = (),
        metric: str | None = None,
    ) -> int:
        """How many rows `epoch_rows` gives, or `epoch_metric_rows` of this metric.

        Raises as they do.
        """
        table = epochs if metric is None else epoch_metrics
        named = [] if metric is None else [epoch_metrics.c.name == metric]
        with self.view() as connection:
            passing = passing_runs(connection, Selection(connection, sweeps), where)
            passing += results_unless_asked(where)
            of_runs = select(func.count()).select_from(table.join(runs)).where(*passing, *named)
            return int(connection.execute(of_runs).scalar_one())

    def default_metric(self, sweeps: Sequence[str] = (), *, where: Sequence[str] = ()) -> str:
        """The metric that is shown of the runs that `run_rows` gives, if none is named.

        Raises as `run_rows`.
        """
        with self.view() as connection:
            selection = Selection(connection, sweeps)
            filters = compile_filters(
                connection.dialect.name, StoredColumns(connection, selection), where
            )
            return default_metric(connection, selection, filters, so_far=names_state(where))

    def default_metrics(
        self, sweeps: Sequence[str] = (), *, where: Sequence[str] = ()
    ) -> list[str]:
        """The metrics of a report of the runs that `run_rows` gives, if none is named.

        Those of which one of them has a value; of networks always the test accuracy and its kin,
        and what evaluations measure. Raises as `run_rows`.
        """
        with self.view() as connection:
            selection = Selection(connection, sweeps)
            columns = StoredColumns(connection, selection)
            filters = compile_filters(connection.dialect.name, columns, where)
            found = measured_by_default(connection, selection, filters)
            return found.by_default(columns.evaluations)

    def count_probes(self, sweeps: Sequence[str] = (), *, where: Sequence[str] = ()) -> int:
        """How many rows `probe_rows` gives for the same arguments; raises as it does."""
        with self.view() as connection:
            passing = passing_runs(connection, Selection(connection, sweeps), where)
            of_runs = select(func.count()).select_from(probes.join(runs)).where(*passing)
            return int(connection.execute(of_runs).scalar_one())

    def block_rows(self, sweeps: Sequence[str] = (), *, where: Sequence[str] = ()) -> list[Row]:
        """The blocks with learned coefficients of the runs that `run_rows` gives, in its order.

        Keys: `run_id`, `block` (from 1, among all blocks), `alpha` (newest state first), `beta`,
        `root_moduli` (largest first), `max_root_modulus`, `zero_stable`, `consistent`, `order`;
        None where coefficients are not finite. Raises as `run_rows`.
        """
        with self.view() as connection:
            return list_parts(connection, Selection(connection, sweeps), where, blocks.c.block)

    def attempt_rows(self, run_ids: Iterable[str]) -> list[Row]:
        """Every attempt of these runs, by run id and number; times in seconds since the epoch.

        `storage` is where its run's folder lies, and `imported_from` the name of the archive that
        brought it.
        """
        columns = (
            "run_id", "attempt", "state", "started_at", "finished_at", "error", "provenance",
            "storage",
        )  # fmt: skip
        query = select(
            *(attempts.c[name] for name in columns),
            *CODE_OF_ATTEMPTS,
            imports.c.file.label("imported_from"),
        ).outerjoin_from(attempts, imports)
        with self.view() as connection:
            chosen = is_one_of(connection.dialect.name, attempts.c.run_id, sorted(set(run_ids)))
            ordered = query.where(chosen).order_by(attempts.c.run_id, attempts.c.attempt)
            rows = rows_as_dicts(connection.execute(ordered))
            add_code_states(connection, rows)
        return rows

    def file_rows(
        self,
        sweeps: Sequence[str] = (),
        *,
        where: Sequence[str] = (),
        run_ids: Iterable[str] | None = None,
    ) -> list[Row]:
        """The files that the runs keep which `run_rows` gives for the same arguments.

        Keys: `run_id`, `path` (relative, with /), `size` (bytes), `sha256`. In the order of the
        runs, of each by path. Raises as `run_rows`.
        """
        with self.view() as connection:
            selection = Selection(connection, sweeps, run_ids)
            return list_parts(connection, selection, where, files.c.path)

    def count_files(self, sweeps: Sequence[str] = (), *, where: Sequence[str] = ()) -> int:
        """How many rows `file_rows` gives for the same arguments; raises as it does."""
        with self.view() as connection:
            passing = passing_runs(connection, Selection(connection, sweeps), where)
            of_runs = select(func.count()).select_from(files.join(runs)).where(*passing)
            return int(connection.execute(of_runs).scalar_one())

    def attempts_of(self, id_prefix: str) -> tuple[str, str, list[Row]]:
        """The id and the state of a run, and its attempts, as `attempt_rows` has them.

        Raises UnknownRunError.
        """
        with self.view() as connection:
            run_id = full_run_id(connection, id_prefix)
            state = connection.scalar(select(runs.c.state).where(runs.c.run_id == run_id))
        return run_id, str(state), self.attempt_rows([run_id])

    def spec_rows(self, sweeps: Sequence[str] = ()) -> list[Row]:
        """The newest spec of each of these sweeps, or of all.

        Keys: `name`, `version`, `source`, `overrides`, `created_at`, `published`, `text`.
        Raises UnknownSweepError.
        """
        with self.view() as connection:
            return list_specs(connection, chosen_sweeps(connection, sweeps))

    def sweep_rows(self) -> list[Row]:
        """Every sweep, the one saved first in front.

        Keys: `name`, `description`, `published`, `created_at`, `updated_at` (seconds since the
        epoch), `runs` and `done` (counts), `imported` (whether an archive brought it, and nobody
        ran it here since).
        """
        with self.view() as connection:
            return list_sweeps(connection)

    def published_name(self, sweep: str) -> str | None:
        """The published table that the sweep's newest spec names; raises UnknownSweepError."""
        (spec,) = self.spec_rows([sweep])
        return cast(str | None, spec["published"])

    def run_detail(self, id_prefix: str) -> dict[str, Any]:
        """One run in full, by its id or a start of it that no other run shares.

        The keys of RUN_KEYS, those of DETAIL_KEYS (`results.run_columns`), `sweeps` (names),
        `epoch_history` (one object an epoch), `metric_history` (one object a value that the trainer
        reported: `name`, `epoch`, `value`), `blocks` and `probes` (as returned by `block_rows`
        and `probe_rows`, without `run_id`), `files` (that it keeps, as `file_rows` has them),
        `attempt_history` (one object an attempt, with state, first_epoch, error, traceback, fault,
        storage, provenance, host and pid of the driver that had it last, and `imported_from`, the
        name of the archive that brought it), `sweep_specs`
        (the newest spec of each of its sweeps: name, version, source, overrides, created_at,
        published, text), and `notes` (what people wrote about it: number, text, created_at).
        Points in time are ISO 8601, UTC. Raises UnknownRunError.
        """
        with self.view() as connection:
            run_id = full_run_id(connection, id_prefix)
            selection = Selection(connection, (), [run_id])
            (row,) = list_runs(connection, selection, (), DETAIL_KEYS)
            epoch_rows = list_parts(connection, selection, (), epochs.c.epoch)
            block_rows = list_parts(connection, selection, (), blocks.c.block)
            probe_rows = list_probes(connection, selection, ())
            history = list_parts(connection, selection, (), epoch_metrics.c.name)
            kept = list_parts(connection, selection, (), files.c.path)
            history.sort(key=lambda row: (row["name"], row["epoch"]))
            attempt_rows = rows_as_dicts(
                connection.execute(
                    select(
                        *(column for column in attempts.c if column not in _REFERENCES),
                        drivers.c.host.label("driver_host"),
                        drivers.c.pid.label("driver_pid"),
                        imports.c.file.label("imported_from"),
                    )
                    .outerjoin(drivers, drivers.c.id == attempts.c.driver_id)
                    .outerjoin(imports, imports.c.id == attempts.c.import_id)
                    .where(attempts.c.run_id == run_id)
                    .order_by(attempts.c.attempt)
                )
            )
            add_code_states(connection, attempt_rows)
            specs = list_specs(connection, selection.order(connection)[run_id])
            written = select(run_notes.c.number, run_notes.c.text, run_notes.c.created_at)
            of_run = written.where(run_notes.c.run_id == run_id).order_by(run_notes.c.number)
            notes = rows_as_dicts(connection.execute(of_run))
        for item in (*epoch_rows, *history, *kept, *block_rows, *probe_rows, *attempt_rows):
            del item["run_id"]
        for item in (row, *attempt_rows, *specs, *notes):
            for key in ("created_at", "started_at", "finished_at"):
                if key in item:
                    item[key] = _iso(item[key])
        return row | {
            "sweeps": [spec["name"] for spec in specs],
            "epoch_history": epoch_rows,
            "metric_history": history,
            "blocks": block_rows,
            "probes": probe_rows,
            "files": kept,
            "attempt_history": attempt_rows,
            "sweep_specs": specs,
            "notes": notes,
        }

    def labels_of(self, name: str) -> tuple[str, list[str], list[Row]]:
        """The name of a sweep, or the id of a run by the start of it, its own tags, and its notes.

        A note has `number`, `text` and `created_at` (ISO 8601, UTC). Raises UnknownLabelledError.
        """
        with self.view() as connection:
            found = labels.find_labelled(connection, name)
            notes = [asdict(note) for note in labels.notes_of(connection, found)]
            tags = labels.tags_of(connection, found)
        return (
            found.shown,
            tags,
            [note | {"created_at": _iso(note["created_at"])} for note in notes],
        )

    def runs_by_other_code(
        self, trainer: str, code: Mapping[str, Any], models: Collection[str | None]
    ) -> Iterator[tuple[str, str, str]]:
        """The runs of a trainer and these models whose configs do not have this code.

        Their ids, the JSON of their configs and how far they have come, one of `sources.STAGES`;
        the newest first, read as they are asked for.
        `code` has `source` and `plugins` as the config does, or None.
        """
        with self.view() as connection:
            yield from sources.runs_by_other_code(connection, trainer, code, models)

    def sources_of_evaluation(self, kind: str) -> list[str | None]:
        """The SHA-256 of the code of each version of a plug-in's evaluation; None: not known."""
        with self.view() as connection:
            return sources.sources_of_evaluation(connection, kind)

    def measured_among(self, kind: str, run_ids: Collection[str]) -> set[tuple[str, str]]:
        """What these runs have of evaluations of this kind: ids of run and evaluation."""
        with self.view() as connection:
            return sources.measured_among(connection, kind, run_ids)

    def stages_of(self, run_ids: Collection[str]) -> dict[str, str]:
        """How far these runs have come, one of `sources.STAGES`; without those that are unknown."""
        with self.view() as connection:
            return sources.stages_of(connection, run_ids)

    def files_of_source(self, run_ids: Sequence[str], source: str) -> dict[str, str] | None:
        """The SHA-256 of the files of code that these runs had, by name; None if not known."""
        with self.view() as connection:
            return sources.files_of_source(connection, run_ids, source)

    def status(self, sweep: str | None = None) -> list[SweepStatus]:
        """How far `sweep` is, or every sweep: counts, failures, faults, drivers, rate, time left.

        `results.queries.status` says how the rate is measured. The time left is for the queued and
        running runs, at that rate. Raises UnknownSweepError.
        """
        with self.view() as connection:
            names = chosen_sweeps(connection, [] if sweep is None else [sweep])
            now = self._database.now(connection)
            return [
                sweep_status(connection, key, name, now, partial(self._database.gone, connection))
                for key, name in names.items()
            ]

    def is_driven(self) -> bool:
        """Whether a living driver works on the database, even if it has no run yet."""
        with self.view() as connection:
            gone = partial(self._database.gone, connection)
            return any_works(connection, self._database.now(connection), gone)

    def running(self, sweep: str) -> list[RunningRun]:
        """The runs of a sweep that are running now, with what they have reported so far.

        Those that have been running longest come first. Raises UnknownSweepError.
        """
        with self.view() as connection:
            (key,) = chosen_sweeps(connection, [sweep])
            return running_runs(connection, key, self._database.now(connection))

    def progress_of(self, id_prefix: str, since: int = 0) -> RunProgress:
        """How far a run is, and what it reported of the epochs from `since` on.

        Raises UnknownRunError.
        """
        with self.view() as connection:
            return run_progress(connection, full_run_id(connection, id_prefix), since)

    def latest(self, sweeps: Sequence[str] = (), *, where: Sequence[str] = ()) -> dict[str, Latest]:
        """What the runs that are not done have reported last, by run id; raises as `run_rows`."""
        with self.view() as connection:
            passing = passing_runs(connection, Selection(connection, sweeps), where)
            return latest_values(connection, [*passing, runs.c.state != "done"])

    def identity(self) -> DatabaseIdentity | None:
        """What tells this database from others; None if no driver ever worked on it."""
        return identity_of(self._database)

    def size(self) -> int | None:
        """The bytes of the tables and their indexes; None of a file, which its disk knows."""
        with self.view() as connection:
            if connection.dialect.name == "sqlite":
                return None
            sizes = [
                connection.scalar(select(func.pg_total_relation_size(func.to_regclass(name))))
                for name in metadata.tables
            ]
            return sum(int(size) for size in sizes if size)

    def kept_runs(self, run_ids: Collection[str] | None = None) -> list[KeptRun]:
        """Every run that was tried here, or those among these, by id, with where it wrote."""
        with self.view() as connection:
            return list_kept_runs(connection, run_ids)

    def all_runs(self, run_ids: Collection[str]) -> list[KeptRun]:
        """As `kept_runs`, whether or not they were tried here."""
        with self.view() as connection:
            return list_kept_runs(connection, run_ids, all_runs=True)

    def runs_in_no_sweep(self) -> list[KeptRun]:
        """The runs in no sweep, whether or not they were tried here, by id."""
        with self.view() as connection:
            in_no_sweep = list(connection.scalars(select(runs.c.run_id).where(~IS_IN_A_SWEEP)))
            return list_kept_runs(connection, in_no_sweep, all_runs=True)

    def cost_samples(self) -> list[CostSample]:
        """What training took so far, by kind of run and device, for estimating what it will.

        Means over the done runs that neither diverged nor were resumed, nor imported.
        """
        return self._database.read(cost_samples)


def _iso(seconds: float | None) -> str | None:
    if seconds is None or seconds not in MOMENT:
        return None  # before there were bounds, anything could be stored
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
