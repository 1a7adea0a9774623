"""The job that somebody's own trainer gets: what to train, and what it can do with that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

from sweep_plugins.metric_name import MOST_METRIC_VALUES, MOST_METRICS
from sweep_plugins.plain_text import one_line, shortened
from trainers.config.job import EpochMetrics
from trainers.data.streaming.reading import default_workers
from trainers.errors import TrainerError, TrainingStopped
from trainers.own.files import RunFiles
from trainers.own.reported import (
    NOT_AT_EPOCHS,
    OF_ANOTHER,
    OF_EPOCH,
    OF_RESULT,
    Values,
    epoch_number,
    number_of,
    require_storable,
)

if TYPE_CHECKING:
    from trainers.config.evaluations import EvaluationConfig
    from trainers.config.run import RunConfig
    from trainers.config.trainer_run import TrainerRun
    from trainers.storage import Folder


@dataclass(frozen=True)
class Checkpoint:
    """What a trainer stored after so many finished epochs."""

    epoch: int
    state: Any


class Job:
    """One run to train, as its trainer sees it.

    Attributes:
        config: all that decides its result; `config.dataset`, `config.training` and `config.model`
            where the trainer uses them.
        options: its own: of the class that the trainer declares, or a dict.
        seed: of every random draw. What draws by other means gives another result each time.
        device: a torch device, such as "cpu" or "cuda".
        threads: CPU threads that it may use.
        workers: processes that decode images for it, if it trains on a dataset that is streamed.
        member: None, as it trains in one process.
        data_dir: where datasets lie.
        evaluations: what the sweep asks to measure of a network; a trainer may do it.
        run_id, attempt: of the run, and which execution of it this is, from 1.
        folder, earlier: where this attempt writes, and earlier ones wrote; None: nowhere.
        on_report: called with each reported epoch, all its values, and the epoch from which on
            this attempt replaces what earlier ones reported.
    """

    def __init__(
        self,
        config: TrainerRun,
        options: Any,
        *,
        data_dir: Path,
        device: str = "cpu",
        threads: int = 1,
        attempt: int = 1,
        evaluations: tuple[EvaluationConfig, ...] = (),
        folder: Folder | None = None,
        earlier: Sequence[Folder] = (),
        on_epoch: Callable[[EpochMetrics], None] | None = None,
        on_report: Callable[[int, Values, int], None] | None = None,
        heartbeat: Callable[[], None] | None = None,
        stop_asked: Callable[[], bool] | None = None,
        files: RunFiles | None = None,
    ) -> None:
        # An own trainer of images has all of it; another one knows what it declared.
        self.config: RunConfig = config  # type: ignore[assignment]
        self.options = options
        self.seed = config.seed
        self.run_id = config.run_id
        self.data_dir = data_dir
        self.device = device
        self.threads = threads
        self.workers = default_workers(threads, device)
        self.member = None
        self.attempt = attempt
        self.evaluations = evaluations
        self.folder = folder
        self.earlier = tuple(earlier)
        self.on_epoch = on_epoch
        self.on_report = on_report
        self.heartbeat = heartbeat
        self.reported: dict[int, Values] = {}
        self.first_epoch = 1
        self.told_to_stop = False
        self._names: set[str] = set()
        self._values = 0
        self._stop_asked = stop_asked or (lambda: False)
        self._replaces_from = 0
        self._is_tried = False
        self._has_ended = False
        # Of what a trainer's threads report, and of the end; a signal's handler may report, too.
        self._mutex = threading.RLock()
        self._files = files or RunFiles(folder, self.earlier)

    def report(
        self,
        epoch: SupportsIndex,
        values: Mapping[str, SupportsFloat] | None = None,
        /,
        **metrics: SupportsFloat,
    ) -> None:
        """Report numbers by name after an epoch, or after whatever the trainer counts by.

        Names that are no words go into `values`: `job.report(3, {"val/loss": 0.1})`. A number that
        is not finite counts as missing. The value of the greatest epoch that has one is the run's,
        unless the trainer returns another. A second report of one epoch adds to the first.

        Raises TrainerError for a name that no metric can have, what is no number, an accuracy that
        is no percent, a name that every run has before epoch 1, more than MOST_METRICS names, more
        than MOST_METRIC_VALUES values, and in a thread that goes on when the trainer has returned.
        """
        number = epoch_number(
            epoch, f"job.report({epoch!r:.80}, ...)", "the first argument, before all"
        )
        found = {
            name: number_of(name, value) for name, value in {**(values or {}), **metrics}.items()
        }
        for name in found.keys() & NOT_AT_EPOCHS:
            raise TrainerError(
                f"a metric at an epoch cannot be called {name}: "
                + ("return it, as it is of the whole run" if name in OF_RESULT else OF_ANOTHER)
            )
        for name in found.keys() & set(OF_EPOCH):
            require_storable(number, name, found[name])
        with self._mutex:
            self._require_goes_on("report")
            self._count(found)
            # In place of the old one: another thread may be reading that.
            all_of_it = {**self.reported.get(number, {}), **found}
            self.reported[number] = all_of_it
            if self.on_report is not None:
                self.on_report(number, all_of_it, self._replaces_from)
        self.beat()

    def _count(self, found: Values) -> None:
        self._names |= found.keys()
        self._values += len(found)
        if len(self._names) > MOST_METRICS or self._values > MOST_METRIC_VALUES:
            raise TrainerError(
                f"job.report: {len(self._names):,} metrics with {self._values:,} values by now,"
                f" where a run may have {MOST_METRICS:,} with {MOST_METRIC_VALUES:,}: report less"
                " often, or write a file"
            )

    def beat(self) -> None:
        """Say that the run makes progress, where that takes long between two reports.

        A trainer that says nothing for long may be taken for hung, and its process be ended.
        """
        if self.heartbeat is not None:
            self.heartbeat()

    def checkpoint(self, epoch: SupportsIndex, state: Any) -> None:
        """Store what is needed to go on after so many finished epochs, atomically.

        `state` is made of tensors, numbers, texts, bytes, lists and dicts. What was reported so far
        is stored with it, and so is what lies in `files`. If the sweep was asked to stop, the run
        ends here, and goes on from here.

        Raises TrainerError for a state that could not be read back.
        """
        number = epoch_number(epoch, f"job.checkpoint({epoch!r:.80}, ...)", "how many are finished")
        self._require_goes_on("checkpoint")
        self.beat()
        if self.folder is not None:
            content = {"state": state, "reported": _as_lists(self.reported)}
            content["files"] = self._files.store_with_checkpoint(number)
            if not self._is_tried:
                _require_readable(content)
                self._is_tried = True
            self._checkpoints().save(number, content)
            self._files.forget_before(number)
        if self._stop_asked():
            raise TrainingStopped

    def resume(self) -> Checkpoint | None:
        """The newest checkpoint of any attempt at this run; None: start from the beginning.

        What was reported up to then counts as reported, and `files` has what lay there then.
        """
        if self.folder is None:
            return None
        found = self._checkpoints().newest(
            lambda epoch, content: (
                _reported(content) is not None and self._files.restore(content.get("files"))
            )
        )
        if found is None:
            return None
        epoch, content = found
        self.reported = _reported(content) or {}
        self._replaces_from = max(self.reported, default=-1) + 1
        self._names, self._values = set(), 0
        for values in self.reported.values():
            self._count(values)
        self.first_epoch = epoch + 1
        return Checkpoint(epoch, content["state"])

    @property
    def files(self) -> Path:
        """A folder to write into: what lies there when the run has ended is kept with it.

        In folders of any depth. It is empty at first, or has what `resume` brought back.
        """
        return self._files.scratch

    @property
    def should_stop(self) -> bool:
        """Whether the sweep was asked to stop: store a checkpoint, or return, and go on later.

        A trainer that was told so and returns is not done: its run is queued again.
        """
        self.told_to_stop = self.told_to_stop or self._stop_asked()
        return self.told_to_stop

    def end(self) -> None:
        """The trainer has returned: what its threads report from now on is none of the result."""
        with self._mutex:
            self._has_ended = True

    def _require_goes_on(self, call: str) -> None:
        if self._has_ended:
            raise TrainerError(
                f"job.{call}: the trainer has returned, and its run is over: wait for its threads"
                " before it returns"
            )

    def _checkpoints(self) -> Any:
        from trainers.training.checkpoint import Checkpoints

        assert self.folder is not None
        return Checkpoints(self.run_id, self.folder, self.earlier)


def _as_lists(reported: Mapping[int, Values]) -> list[Any]:
    return [[epoch, dict(values)] for epoch, values in reported.items()]


def _reported(content: Mapping[str, Any]) -> dict[int, Values] | None:
    """What a checkpoint says was reported; None if it is no checkpoint of a job."""
    try:
        return {int(epoch): dict(values) for epoch, values in content["reported"]}
    except (KeyError, TypeError, ValueError):
        return None


def _require_readable(content: Any) -> None:
    """Raises TrainerError for what could be stored and not be read, which would be noticed late."""
    import io

    import torch

    buffer = io.BytesIO()
    try:
        torch.save(content, buffer)
        buffer.seek(0)
        torch.load(buffer, map_location="cpu", weights_only=True)
    except Exception as error:
        raise TrainerError(
            "job.checkpoint: the state could not be read back: it may hold tensors, numbers, texts,"
            " bytes, lists and dicts; of anything else store the bytes that pickle.dumps makes, or"
            f" its state_dict() ({shortened(one_line(str(error)) or type(error).__name__, 200)})"
        ) from error
