"""The life of a sweep: save it, adopt what was finished, claim and run the rest, store results.

Only this process writes the database. Everything it does can be cut short at any moment: a run
whose result is not committed is adopted or queued again by the next driver, and goes on from its
newest checkpoint.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from results.errors import BadResultError, DatabaseError
from results.queries import Queries
from results.records import PendingRun, SweepChange
from results.store import Store
from sweeper.cost import CostModel
from sweeper.errors import Interrupted, ResourceError
from sweeper.executors import Executor
from sweeper.home import Home
from sweeper.plan import new_evaluation, new_run
from sweeper.progress import Progress
from sweeper.spec import Spec
from sweeper.worker import (
    Finished,
    Lost,
    Outcome,
    Raised,
    Task,
    attempt_folder,
    attempt_folders,
)
from trainers.config import RunConfig
from trainers.run import read_result

MOST_LOST_WORKERS = 3
"""A run whose worker vanished so often under one driver fails: it is likely the cause."""

POLL_SECONDS = 0.5

StartExecutor = Callable[[int], Executor]
"""Makes an executor with at most so many slots."""


@dataclass
class Summary:
    """What one call of `run_sweep` did.

    Attributes:
        change: to the sweep's runs, against the database.
        adopted: results of an interrupted driver that were committed.
        trained: runs that finished now.
        evaluated: done runs that got evaluations they lacked.
        failed: runs that failed now.
    """

    change: SweepChange
    adopted: int = 0
    trained: int = 0
    evaluated: int = 0
    failed: int = 0

    @property
    def nothing_to_do(self) -> bool:
        return not (self.adopted or self.trained or self.evaluated or self.failed)


def run_sweep(
    spec: Spec,
    store: Store,
    home: Home,
    start_executor: StartExecutor,
    costs: CostModel,
    progress: Progress,
) -> Summary:
    """Bring the sweep to its end: after this, each of its runs is done or failed.

    Raises:
        DriverBusyError: another process drives this database.
        ResourceError: no slot, or a dataset is missing; nothing that was done is lost.
        Interrupted: by a signal; the same.
    """
    with store.driver_lock(" ".join(sys.argv)):
        change = store.save_sweep(
            spec.name,
            spec.text,
            spec.source,
            spec.overrides,
            spec.description,
            [new_run(config) for config in spec.configs],
            [new_evaluation(evaluation) for evaluation in spec.evaluations],
            published=spec.published,
        )
        summary = Summary(change)
        summary.adopted = _adopt_orphans(store, home)
        pending = store.pending(spec.name)
        if pending:
            _Driver(spec, store, home, costs, progress, summary).run(pending, start_executor)
        return summary


def _adopt_orphans(store: Store, home: Home) -> int:
    """Settle the runs of a driver that is gone; how many had finished."""
    reason = "its driver ended before it did"
    return sum(
        _adopt_or_release(store, home, run_id, attempt, "lost", reason)
        for run_id, attempt in store.orphans()
    )


def _adopt_or_release(
    store: Store, home: Home, run_id: str, attempt: int, outcome: str, reason: str
) -> bool:
    """Commit what an attempt had finished before it was cut short, or queue its run again.

    Whether it was adopted. The result file is the worker's last word, and stands whether or not
    anyone was there to hear it.
    """
    result = read_result(attempt_folder(home.runs, run_id, attempt), run_id)
    if result is not None:
        with suppress(BadResultError):
            if store.commit(run_id, attempt, result):
                _remove_other_attempts(home, run_id, attempt)
                return True
    store.release(run_id, attempt, outcome, reason)
    return False


def _remove_other_attempts(home: Home, run_id: str, attempt: int) -> None:
    """Checkpoints of attempts that were cut short; the result has replaced them."""
    for folder in attempt_folders(home.runs, run_id):
        if folder.name != str(attempt):
            shutil.rmtree(folder, ignore_errors=True)


class _Driver:
    """One pass over a sweep's pending runs."""

    def __init__(
        self,
        spec: Spec,
        store: Store,
        home: Home,
        costs: CostModel,
        progress: Progress,
        summary: Summary,
    ) -> None:
        self.spec = spec
        self.store = store
        self.home = home
        self.costs = costs
        self.progress = progress
        self.summary = summary
        self.provenance = {"driver_host": socket.gethostname(), "driver_pid": os.getpid()}
        self.queue: deque[PendingRun] = deque()
        self.running: dict[str, tuple[PendingRun, Task]] = {}
        self.lost: Counter[str] = Counter()

    def run(self, pending: list[PendingRun], start_executor: StartExecutor) -> None:
        # Longest first, so that the last slot waits least; among equals in the order of the spec.
        longest_first = sorted(pending, key=self._estimated_seconds, reverse=True)
        self.queue = deque(longest_first)
        with Queries.open(self.home.database) as queries:
            before = queries.status(self.spec.name)[0].counts
        # A done run that lacks evaluations has work left.
        complete = before["done"] - sum(run.state == "done" for run in pending)
        total = len(self.spec.configs)
        try:
            with (
                start_executor(len(pending)) as executor,
                self.progress.following(self.spec.name, complete, total, before["failed"]),
            ):
                self._loop(executor)
        except KeyboardInterrupt:
            # Without a database, the next driver finds out what was running.
            with suppress(DatabaseError):
                self._give_back("interrupted", "stopped by a signal")
            raise Interrupted(
                f"stopped; what was done is kept. To go on: sweep resume {self.spec.name}"
            ) from None
        except BaseException:
            with suppress(DatabaseError):
                self._give_back("lost", "the driver stopped on an error")
            raise

    def _estimated_seconds(self, run: PendingRun) -> float:
        config = RunConfig.model_validate(run.config)
        seconds = self.costs.seconds(config, len(self.spec.evaluations))
        return seconds if run.state == "queued" else seconds / config.training.epochs

    def _loop(self, executor: Executor) -> None:
        while self.queue or self.running:
            while self.queue and len(self.running) < executor.slots:
                task = self._claim(self.queue.popleft(), executor.device)
                if task is not None:
                    executor.submit(task)
            self.progress.running(len(self.running))
            # What is good news first: a missing dataset ends the loop, and must not take along
            # a result that arrived with it.
            outcomes = executor.wait(POLL_SECONDS)
            for outcome in sorted(outcomes, key=lambda outcome: not isinstance(outcome, Finished)):
                self._settle(outcome)

    def _claim(self, run: PendingRun, device: str) -> Task | None:
        """A task for the run, or None if it is no longer to be had."""
        attempt = None
        evaluations = run.missing_evaluations
        if run.state == "queued":
            attempt = self.store.claim(run.run_id, provenance=self.provenance)
            if attempt is None:
                return None
        task = Task(
            run_id=run.run_id,
            attempt=attempt,
            config=run.config,
            evaluations=tuple(evaluation.config for evaluation in evaluations),
            runs_folder=self.home.runs,
            data_dir=self.home.data,
            device=device,
            threads=self.spec.resources.threads,
        )
        self.running[run.run_id] = (run, task)
        return task

    def _settle(self, outcome: Outcome) -> None:
        """Store what became of a task."""
        task = outcome.task
        run, _ = self.running.pop(task.run_id)
        self.progress.running(len(self.running))
        match outcome:
            case Finished(result=result):
                self._store_result(run, task, result)
            case Raised(kind="dataset_missing", error=error):
                self._release(task, "interrupted", error)
                raise ResourceError(error)
            case Raised(error=error, traceback=traceback):
                self._fail(run, task, error, traceback)
            case Lost(reason=reason):
                self.lost[task.run_id] += 1
                if self.lost[task.run_id] >= MOST_LOST_WORKERS:
                    times = f"its worker vanished {MOST_LOST_WORKERS} times"
                    self._fail(run, task, f"{times}, the last time with {reason}", None)
                elif self._release(task, "lost", reason):
                    self.summary.adopted += 1
                    self.progress.finished(_label(run), None)
                else:
                    self.queue.appendleft(run)
                    self.progress.lost(_label(run), reason)

    def _store_result(self, run: PendingRun, task: Task, result: Any) -> None:
        if task.attempt is None:
            self.store.add_evaluations(task.run_id, result)
            self.summary.evaluated += 1
            self.progress.finished(_label(run), None)
            return
        try:
            if not self.store.commit(task.run_id, task.attempt, result):
                return
        except BadResultError as error:
            self._fail(run, task, str(error), None)
            return
        self.summary.trained += 1
        self.progress.finished(_label(run), result["test_accuracy"])
        _remove_other_attempts(self.home, task.run_id, task.attempt)

    def _fail(self, run: PendingRun, task: Task, error: str, traceback: str | None) -> None:
        if task.attempt is not None:
            self.store.fail(task.run_id, task.attempt, error, traceback)
        self.summary.failed += 1
        self.progress.failed(_label(run), task.run_id, error)

    def _release(self, task: Task, outcome: str, reason: str) -> bool:
        """Whether the task had finished all the same, and its result was adopted."""
        if task.attempt is None:
            return False
        return _adopt_or_release(self.store, self.home, task.run_id, task.attempt, outcome, reason)

    def _give_back(self, outcome: str, reason: str) -> None:
        for _, task in self.running.values():
            self._release(task, outcome, reason)
        self.running.clear()


def _label(run: PendingRun) -> str:
    return f"{run.model} [{run.scheme}] depth {run.depth} {run.dataset} seed {run.seed}"
