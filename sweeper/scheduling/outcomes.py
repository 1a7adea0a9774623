"""What becomes of tasks: results are committed, and faults handled as the spec's policies say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from results.errors import BadResultError
from results.records import PendingRun
from results.store.store import Store
from sweeper.errors import ResourceError
from sweeper.executors import Executor
from sweeper.executors.worker import (
    Finished,
    Lost,
    LostInBundle,
    MachineFault,
    Outcome,
    Raised,
    Stopped,
    Task,
)
from sweeper.scheduling.backlog import Backlog
from sweeper.scheduling.claims import Claims
from sweeper.scheduling.progress import Progress, run_label
from sweeper.scheduling.run_storage import RunStorage
from sweeper.scheduling.summary import Summary
from sweeper.spec.fault_policies import Fault, FaultPolicies
from trainers.errors import StorageError

_DESCRIPTIONS: dict[Fault, str] = {
    "out_of_memory": "out of memory",
    "worker_lost": "its worker was lost",
    "hung": "it hung",
}


class Outcomes:
    """Stores the outcomes of tasks, and puts runs that are to be tried again into the backlog.

    Args:
        note_seconds: is told how many seconds a run took on its slot.

    Attributes:
        not_evaluated: ids of done runs that could not be evaluated.
    """

    def __init__(
        self,
        faults: FaultPolicies,
        store: Store,
        storage: RunStorage,
        claims: Claims,
        backlog: Backlog,
        progress: Progress,
        summary: Summary,
        note_seconds: Callable[[PendingRun, float], None],
    ) -> None:
        self.not_evaluated: set[str] = set()
        self._faults = faults
        self._store = store
        self._storage = storage
        self._claims = claims
        self._backlog = backlog
        self._progress = progress
        self._summary = summary
        self._note_seconds = note_seconds

    def commit_results(self, finished: Sequence[Finished]) -> None:
        """Commit the results of runs that are still this driver's."""
        trained: list[tuple[str, int, Any]] = []
        for outcome in finished:
            if outcome.task.run_id not in self._claims.running:
                continue
            run, task = self._claims.running[outcome.task.run_id]
            if outcome.seconds is not None:
                self._note_seconds(run, outcome.seconds)
            if task.attempt is not None:
                trained.append((task.run_id, task.attempt, outcome.result))
            else:
                self._claims.forget(task.run_id)
                self._store.add_evaluations(task.run_id, outcome.result)
                self._summary.evaluated += 1
                self._progress.finished(run_label(run), None)
        if not trained:
            return
        try:
            committed = self._store.commit_all(trained)
        except BadResultError as error:
            bad = next(entry for entry in trained if entry[0] == error.run_id)
            self._fail(*self._claims.forget(error.run_id), str(error), None, "trainer_error", None)
            others = {run_id for run_id, _, _ in trained if run_id != bad[0]}
            self.commit_results([one for one in finished if one.task.run_id in others])
            return
        for run_id, attempt, result in trained:
            run, _ = self._claims.forget(run_id)
            if run_id not in committed:
                self._progress.taken(run_label(run))
                continue
            self._summary.trained += 1
            self._progress.finished(run_label(run), result["test_accuracy"])
            self._storage.tidy(run_id, attempt)

    def settle(self, outcome: Outcome, executor: Executor) -> None:
        """Store an outcome that is no result.

        Raises ResourceError or StorageError for a fault that every further task would meet.
        """
        if outcome.task.run_id not in self._claims.running:
            return  # it was taken over while it arrived, or is stored already
        run, task = self._claims.forget(outcome.task.run_id)
        match outcome:
            case LostInBundle(reason=reason):
                if self._release(
                    task, "lost", f"lost with the other runs of its bundle: {reason}", None
                ):
                    self._backlog.put_back(run, alone=True)
            case Stopped():
                self._release(task, "interrupted", "stopped by a signal", "stopped")
            case MachineFault(kind="dataset_missing" | "plugin_missing", error=error):
                self._release(task, "interrupted", error, "stopped")
                raise ResourceError(error)
            case MachineFault(error=error):
                raise StorageError(error)
            case Raised(kind=fault, error=error, traceback=traceback, host=host):
                self._again_or_fail(run, task, fault, error, executor, host, traceback=traceback)
            case Lost(kind=fault, reason=reason, host=host, node=node):
                self._again_or_fail(run, task, fault, reason, executor, host, node=node)

    def adopt_orphans(self) -> None:
        """Commit or queue again the runs of drivers that are gone."""
        reason = "its driver ended before it did"
        for run_id, attempt, storage in self._store.take_over():
            if self._adopt(run_id, attempt, storage):
                self._summary.adopted += 1
            else:
                self._store.release(run_id, attempt, "lost", reason, fault="driver_lost")

    def give_back(self, outcome: str, reason: str, fault: str) -> None:
        """End the attempts of all runs that this driver has claimed.

        As the database has them: a second Control-C may come between a claim and the note of it.
        """
        for run_id, attempt in self._store.held():
            if self._adopt(run_id, attempt):
                self._summary.adopted += 1
            else:
                self._store.release(run_id, attempt, outcome, reason, fault=fault)
        self._claims.running.clear()

    def _again_or_fail(
        self,
        run: PendingRun,
        task: Task,
        fault: Fault,
        reason: str,
        executor: Executor,
        host: str,
        *,
        node: str = "",
        traceback: str | None = None,
    ) -> None:
        """Try a run again, or fail it, as the policy for this kind of fault says."""
        if task.attempt is not None and self._adopt(task.run_id, task.attempt):
            self._summary.adopted += 1
            self._progress.finished(run_label(run), None)
            return
        times = self._backlog.met(run, fault, node)
        error = reason
        if fault != "trainer_error":
            error = f"{_DESCRIPTIONS[fault]}{'' if times == 1 else f' {times} times'}: {reason}"
        alone = (
            fault == "out_of_memory"
            and task.multiplier >= executor.largest_multiplier
            and not self._claims.running
        )
        if alone:
            error += "; it had the machine to itself"
        where = {"host": host} if host else None
        if alone or times >= self._faults.attempts(fault):
            self._fail(run, task, error, traceback, fault, where)
        else:
            if task.attempt is not None:
                self._store.release(
                    task.run_id, task.attempt, "lost", error, fault=fault, provenance=where
                )
            self._backlog.put_back(run)
            self._progress.again(run_label(run), error)

    def _fail(
        self,
        run: PendingRun,
        task: Task,
        error: str,
        traceback: str | None,
        fault: Fault,
        where: dict[str, str] | None,
    ) -> None:
        if task.attempt is None:
            self.not_evaluated.add(task.run_id)
            self._summary.unmeasured += 1
        elif self._store.fail(
            task.run_id, task.attempt, error, traceback, fault=fault, provenance=where
        ):
            self._summary.failed += 1
        else:
            self._progress.taken(run_label(run))
            return
        self._progress.failed(run_label(run), task.run_id, error)

    def _release(self, task: Task, outcome: str, reason: str, fault: str | None) -> bool:
        """Queue the run again, unless its attempt has a result; whether it was queued."""
        if task.attempt is None:
            return True
        if self._adopt(task.run_id, task.attempt):
            self._summary.adopted += 1
            return False
        self._store.release(task.run_id, task.attempt, outcome, reason, fault=fault)
        return True

    def _adopt(self, run_id: str, attempt: int, storage: str | None = None) -> bool:
        """Commit what an attempt had finished before it was cut short; whether there was anything.

        The result file is the worker's last write, and is valid whether or not the driver was
        there to receive the outcome.
        """
        result = self._storage.result(run_id, attempt, storage)
        if result is None:
            return False
        with suppress(BadResultError):
            if self._store.commit(run_id, attempt, result):
                self._storage.tidy(run_id, attempt)
                return True
        return False
