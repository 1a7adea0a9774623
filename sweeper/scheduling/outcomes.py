"""Outcomes of tasks: results are committed, and faults handled by the spec's policies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from results.errors import BadResultError, UnknownRunError
from results.provenance import files_left_out, images_left_out
from results.records import Orphan, PendingRun
from results.schema.bounds import problem_inside
from results.store.store import Store
from sweeper.errors import ResourceError
from sweeper.executors import Executor
from sweeper.executors.reporting import Report
from sweeper.executors.tasks import (
    Finished,
    Lost,
    LostInBundle,
    MachineFault,
    Outcome,
    Raised,
    Stopped,
    Task,
    Unplaced,
    WeightsGone,
)
from sweeper.scheduling.backlog import Backlog
from sweeper.scheduling.claims import Claims
from sweeper.scheduling.progress import Progress
from sweeper.scheduling.report_keeper import ReportKeeper
from sweeper.scheduling.run_labels import RunLabels
from sweeper.scheduling.run_storage import RunStorage
from sweeper.scheduling.summary import Summary
from sweeper.spec.fault_policies import Fault, FaultPolicies
from trainers.errors import ResultError, StorageError

_DESCRIPTIONS: dict[Fault, str] = {
    "out_of_memory": "out of memory",
    "worker_lost": "its worker was lost",
    "hung": "it hung",
}

_STOPPED = "stopped by a signal"
_NOT_BEGUN = "it had not begun"


def first_sentence(error: object) -> str:
    """What a message begins with: enough of it beside a run, where the whole was said once."""
    return re.split(r"\n|\. ", str(error), maxsplit=1)[0]


@dataclass
class Outcomes:
    """Stores the outcomes of tasks, and puts runs that are to be tried again into the backlog.

    Attributes:
        reports: what running runs have reported, and those that end without a result.
        note_seconds: is called with each run and the seconds that it took on its slot.
        not_evaluated: ids of done runs that could not be evaluated.
    """

    faults: FaultPolicies
    store: Store
    storage: RunStorage
    claims: Claims
    backlog: Backlog
    progress: Progress
    labels: RunLabels
    summary: Summary
    reports: ReportKeeper
    note_seconds: Callable[[PendingRun, float], None]
    not_evaluated: set[str] = field(default_factory=set)

    def commit_results(self, finished: Sequence[Finished]) -> None:
        """Commit the results of runs that are still this driver's."""
        trained: list[tuple[str, int, Any]] = []
        for outcome in finished:
            if outcome.task.run_id not in self.claims.running:
                continue
            run, task = self.claims.running[outcome.task.run_id]
            if outcome.seconds is not None:
                self.note_seconds(run, outcome.seconds)
            if task.attempt is not None:
                trained.append((task.run_id, task.attempt, outcome.result))
            else:
                self.claims.forget(task.run_id)
                self._add_evaluations(run, task, outcome.result)
        committed: set[str] = set()
        while trained:
            try:
                committed = self.store.commit_all(trained)
                break
            except BadResultError as error:
                bad = error
            self._fail(*self.claims.forget(bad.run_id), str(bad), "trainer_error")
            trained = [result for result in trained if result[0] != bad.run_id]
        for run_id, attempt, result in trained:
            run, _ = self.claims.forget(run_id)
            if run_id not in committed:
                self.progress.taken(self.labels.of(run))
                continue
            self.summary.trained += 1
            self.progress.finished(self.labels.of(run), result)
            self._tell_left_out(run_id, self.labels.of(run), result)
            self.storage.tidy(run_id, attempt)

    def _tell_left_out(self, run_id: str, label: str, result: Mapping[str, Any]) -> None:
        """Say which of its files a run does not keep, and which images of its dataset it lacked."""
        if lacked := images_left_out(result["provenance"]):
            self.progress.without_images(label, lacked, first=not self.summary.without_images)
            self.summary.without_images.append(run_id)
        if left_out := files_left_out(result["provenance"]):
            first = not self.summary.left_out
            self.summary.left_out.append(run_id)
            self.progress.left_out(label, left_out[0], first=first)

    def _add_evaluations(self, run: PendingRun, task: Task, measured: Any) -> None:
        try:
            self.store.add_evaluations(task.run_id, measured)
        except BadResultError as error:
            self._fail(run, task, str(error), "trainer_error")
            return
        except UnknownRunError:
            # It left the sweep, and was deleted since.
            self.progress.taken(self.labels.of(run))
            return
        if len(measured) < len(task.evaluations):
            # Else it would be handed over again without end.
            asked = len(task.evaluations)
            lacking = f"{len(measured)} of the {asked} evaluations came back that were asked for"
            self._fail(run, task, lacking, "trainer_error")
            return
        self.summary.evaluated += 1
        self.progress.finished(self.labels.of(run))

    def settle(self, outcome: Outcome, executor: Executor) -> None:
        """Store an outcome that is no result.

        Raises ResourceError or StorageError for a fault that every further task would meet.
        """
        if outcome.task.run_id not in self.claims.running:
            return  # it was taken over while it arrived, or is stored already
        run, task = self.claims.forget(outcome.task.run_id)
        while self.reports.flush():
            pass  # nothing that this run reported is taken once it has ended
        match outcome:
            case LostInBundle(reason=reason):
                reason = f"lost with the other runs of its bundle: {reason}"
                if self._release(task, "lost", reason, None):
                    self.backlog.put_back(run, alone=True)
            case Stopped(began=False):
                self._release(task, "interrupted", f"{_NOT_BEGUN}: {_STOPPED}", None)
            case Unplaced(reason=reason):
                if self._release(task, "interrupted", f"{_NOT_BEGUN}: {reason}", None):
                    self.backlog.put_back(run)
            case Stopped(report=report):
                self._release(task, "interrupted", _STOPPED, "stopped", report)
            case WeightsGone(error=error):
                self.not_evaluated.add(task.run_id)
                self.progress.without_weights(
                    self.labels.of(run), error, first=not self.summary.without_weights
                )
                self.summary.without_weights += 1
            case MachineFault(kind="dataset_missing" | "plugin_missing", error=error):
                self._release(task, "interrupted", first_sentence(error), "stopped")
                raise ResourceError(error)
            case MachineFault(error=error):
                raise StorageError(error)
            case Raised() | Lost():
                self._again_or_fail(run, task, outcome, executor)

    def adopt_orphans(self) -> None:
        """Commit or queue again the runs of drivers that are gone."""
        ended = "its driver ended before it did"
        self._adopt_or_release(self.store.take_over(), "lost", ended, "driver_lost")

    def give_back(self, outcome: str, reason: str, fault: str) -> None:
        """End the attempts of all runs that this driver has claimed.

        As the database has them: a second Control-C may come between a claim and the note of it.
        """
        held = [Orphan(run_id, attempt, None) for run_id, attempt in self.store.held()]
        self._adopt_or_release(held, outcome, reason, fault)
        self.claims.running.clear()

    def _adopt_or_release(
        self, attempts: Sequence[Orphan], outcome: str, reason: str, fault: str
    ) -> None:
        """End these attempts; those that never began without a fault."""
        left = [each for each in attempts if not self._adopt(*each)]
        waiting = self.store.waiting() if left else set()
        for run_id, attempt, storage in left:
            if run_id in waiting and not self.storage.has_begun(run_id, attempt, storage):
                self.store.release(run_id, attempt, "interrupted", f"{_NOT_BEGUN}: {reason}")
            else:
                self.store.release(run_id, attempt, outcome, reason, fault=fault)

    def _again_or_fail(
        self, run: PendingRun, task: Task, ended: Raised | Lost, executor: Executor
    ) -> None:
        """Try a run again, or fail it, as the policy for this kind of fault says."""
        fault, error = ended.kind, ended.reason
        if task.attempt is not None:
            by_result = self._adopt(task.run_id, task.attempt, label=self.labels.of(run))
            if by_result == "done":
                self.progress.finished(self.labels.of(run))
            if by_result is not None:
                return
        times = self.backlog.met(run, fault, ended.node)
        if fault != "trainer_error":
            error = f"{_DESCRIPTIONS[fault]}{'' if times == 1 else f' {times} times'}: {error}"
        alone = (
            fault == "out_of_memory"
            and task.multiplier >= executor.largest_multiplier(task.processes)
            and not self.claims.running
        )
        if alone:
            error += "; it had the machine to itself"
        where = {"host": ended.host} if ended.host else {}
        if problem_inside(ended.provenance) is None:
            where = {**where, **ended.provenance}
        if alone or times >= self.faults.attempts(fault):
            self._fail(run, task, error, fault, ended.traceback, where, ended.report)
            return
        if task.attempt is not None:
            self.store.release(
                task.run_id,
                task.attempt,
                "lost",
                error,
                fault=fault,
                provenance=where,
                report=self.reports.checked(ended.report),
            )
        self.backlog.put_back(run)
        self.progress.again(self.labels.of(run), error)

    def _fail(
        self,
        run: PendingRun,
        task: Task,
        error: str,
        fault: Fault,
        traceback: str | None = None,
        where: Mapping[str, Any] | None = None,
        report: Report | None = None,
    ) -> None:
        if task.attempt is None:
            self.not_evaluated.add(task.run_id)
            self.summary.unmeasured += 1
        elif self.store.fail(
            task.run_id,
            task.attempt,
            error,
            traceback,
            fault=fault,
            provenance=where,
            report=self.reports.checked(report),
        ):
            self.summary.failed += 1
        else:
            self.progress.taken(self.labels.of(run))
            return
        self.progress.failed(self.labels.of(run), task.run_id, error)

    def _release(
        self,
        task: Task,
        outcome: str,
        reason: str,
        fault: str | None,
        report: Report | None = None,
    ) -> bool:
        """Queue the run again, unless its attempt has a result; whether it was queued."""
        if task.attempt is None:
            return True
        if self._adopt(task.run_id, task.attempt):
            return False
        checked = self.reports.checked(report)
        self.store.release(task.run_id, task.attempt, outcome, reason, fault=fault, report=checked)
        return True

    def _adopt(
        self, run_id: str, attempt: int, storage: str | None = None, label: str | None = None
    ) -> Literal["done", "failed"] | None:
        """End an interrupted attempt by the result that it has stored, if it has one.

        The result file is the worker's last write, and is valid whether or not the driver was
        there to receive the outcome. If it is whole, and no result, its run has failed.
        """
        try:
            result = self.storage.result(run_id, attempt, storage)
            if result is None or not self.store.commit(run_id, attempt, result):
                return None
        except (BadResultError, ResultError) as error:
            reason = str(error)
        else:
            self._tell_left_out(run_id, label or f"run {run_id}", result)
            self.storage.tidy(run_id, attempt)
            self.summary.adopted += 1
            return "done"
        if not self.store.fail(run_id, attempt, reason, None, fault="trainer_error"):
            return None
        self.summary.failed += 1
        self.progress.failed(label or f"run {run_id}", run_id, reason)
        return "failed"
