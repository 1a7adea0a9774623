"""The life of a sweep: save it, adopt what was finished, claim and run the rest, store results.

Only drivers write the database, each what it has claimed. Everything a driver does can be cut
short at any moment: a run whose result is not committed is adopted or queued again by the next
driver, and goes on from its newest checkpoint.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from results.errors import BadResultError, DatabaseError
from results.records import OtherDriver, PendingRun, SweepChange
from results.store.store import Store
from sweeper.errors import Interrupted, ResourceError
from sweeper.executors import Executor
from sweeper.executors.worker import (
    Finished,
    Lost,
    LostInCompany,
    MachineFault,
    Outcome,
    Raised,
    Stopped,
    StorageSentinel,
    Task,
)
from sweeper.home import Home
from sweeper.planning.cost import CostModel
from sweeper.planning.plan import new_evaluation, new_runs
from sweeper.scheduling.backlog import Backlog
from sweeper.scheduling.bundles import BundleSizer
from sweeper.scheduling.lease_keeper import LeaseKeeper
from sweeper.scheduling.progress import Progress
from sweeper.scheduling.run_storage import RunStorage
from sweeper.scheduling.signals import StopRequest
from sweeper.spec.fault_policies import Fault
from sweeper.spec.spec import Spec
from trainers.config.run import RunConfig
from trainers.errors import StorageError

POLL_SECONDS = 0.5

LOOK_AROUND_SECONDS = 5.0
"""How often a driver with nothing left to claim looks for what others gave back or left behind."""

StartExecutor = Callable[[], Executor]


@dataclass
class Summary:
    """What one call of `run_sweep` did.

    Attributes:
        change: to the sweep's runs, against the database.
        adopted: results of an interrupted driver that were committed.
        trained: runs that finished now.
        evaluated: done runs that got evaluations they lacked.
        failed: runs that failed now.
        unmeasured: done runs that could not be evaluated.
    """

    change: SweepChange
    adopted: int = 0
    trained: int = 0
    evaluated: int = 0
    failed: int = 0
    unmeasured: int = 0

    @property
    def nothing_to_do(self) -> bool:
        return not (
            self.adopted or self.trained or self.evaluated or self.failed or self.unmeasured
        )


def run_sweep(
    spec: Spec,
    store: Store,
    home: Home,
    start_executor: StartExecutor,
    costs: CostModel,
    progress: Progress,
    stop: StopRequest,
) -> Summary:
    """Bring the sweep to its end: after this, each of its runs is done, failed or cancelled.

    Raises:
        DriverBusyError: another process drives this database, and it is a SQLite file.
        ResourceError: no slot, or storage or a dataset is missing; nothing that was done is lost.
        Interrupted: by a signal; the same.
    """

    def wait(sentence: str) -> None:
        progress.waiting(sentence)
        if stop.asked:
            raise interrupted(spec.name)

    storage = RunStorage(home.storage, retry_seconds=spec.faults.unreachable.seconds, on_wait=wait)
    with store.driving(storage.location, " ".join(sys.argv)), storage.sentinel() as sentinel:
        change = store.save_sweep(
            spec.name,
            spec.text,
            spec.source,
            spec.overrides,
            spec.description,
            new_runs(spec.configs),
            [new_evaluation(evaluation) for evaluation in spec.evaluations],
            published=spec.published,
        )
        summary = Summary(change)
        driver = _Driver(spec, store, storage, sentinel, home, costs, progress, stop, summary)
        if driver.find_work():
            driver.run(start_executor)
        return summary


class _Driver:
    """One pass over a sweep, until no run of it is left to anybody."""

    def __init__(
        self,
        spec: Spec,
        store: Store,
        storage: RunStorage,
        sentinel: StorageSentinel,
        home: Home,
        costs: CostModel,
        progress: Progress,
        stop: StopRequest,
        summary: Summary,
    ) -> None:
        self.spec = spec
        self.store = store
        self.storage = storage
        self.sentinel = sentinel
        self.home = home
        self.costs = costs
        self.progress = progress
        self.stop = stop
        self.summary = summary
        self.leases = LeaseKeeper(store)
        self.provenance = {"driver_host": socket.gethostname(), "driver_pid": os.getpid()}
        self.backlog = Backlog(self._estimated_seconds)
        self.bundle_sizer = BundleSizer()
        self.configs = {config.run_id: config for config in spec.configs}
        self.estimates: dict[str, float] = {}
        self.running: dict[str, tuple[PendingRun, Task]] = {}
        self.others: list[OtherDriver] = []
        self.not_evaluated: set[str] = set()
        self.look_around_at = 0.0
        self.asked_to_stop = False

    def find_work(self) -> bool:
        """Take over what others left behind, and note what can be claimed.

        Whether anybody has anything left to do. Who dies between these questions is found by a
        later one, or makes this driver ask again.
        """
        self.others = self.store.others(self.spec.name)
        self._adopt_orphans()
        known = {run.run_id for run in self.backlog} | self.running.keys() | self.not_evaluated
        pending = [run for run in self.store.pending(self.spec.name) if run.run_id not in known]
        self.backlog.add(pending)
        return bool(pending or self.others)

    def _adopt_orphans(self) -> None:
        """Settle the runs of drivers that are gone."""
        reason = "its driver ended before it did"
        for run_id, attempt, storage in self.store.take_over():
            if self._adopt(run_id, attempt, storage):
                self.summary.adopted += 1
            else:
                self.store.release(run_id, attempt, "lost", reason, fault="driver_lost")

    def _estimated_seconds(self, run: PendingRun) -> float:
        known = self.estimates.get(run.run_id)
        if known is None:
            passes = sum(evaluation.passes for evaluation in self.spec.evaluations)
            known = self.costs.seconds(self._config(run), passes)
            self.estimates[run.run_id] = known
        return known if run.state == "queued" else known / run.epochs

    def _config(self, run: PendingRun) -> RunConfig:
        if run.run_id in self.configs:
            return self.configs[run.run_id]
        try:
            return RunConfig.model_validate(run.config)
        except ValidationError as error:
            raise ResourceError(
                f"the database is damaged: the config of run {run.run_id} is none"
                f" ({error.error_count()} errors); mend it by hand, or restore an older copy"
            ) from error

    def run(self, start_executor: StartExecutor) -> None:
        """Work until nothing is left. Raises as `run_sweep` does."""
        done, failed = self._settled()
        try:
            with (
                self.leases,
                start_executor() as executor,
                self.progress.following(self.spec.name, done, len(self.spec.configs), failed),
            ):
                self._loop(executor)
        except (KeyboardInterrupt, Interrupted):
            # Without a database, the next driver finds out what was running.
            with suppress(DatabaseError, StorageError, Interrupted):
                self._give_back("interrupted", "stopped by a signal", "stopped")
            raise interrupted(self.spec.name) from None
        except StorageError:
            # What was finished cannot be seen now. The next driver adopts it, or gives it back.
            raise
        except BaseException:
            with suppress(DatabaseError, StorageError, Interrupted):
                self._give_back("lost", "the driver stopped on an error", "driver_lost")
            raise
        if self.asked_to_stop:
            raise interrupted(self.spec.name)

    def _loop(self, executor: Executor) -> None:
        finished: list[Finished] = []
        while True:
            for run_id in self.leases.lost():
                executor.kill(run_id)
                run, _ = self._forget(run_id)
                self.progress.taken(_label(run))
            if self.stop.asked and not self.asked_to_stop:
                self.asked_to_stop = True
                executor.ask_to_stop()
            # Slots have work again before what they did is stored: it is safe in a file.
            if not self.asked_to_stop:
                self._fill(executor)
            self._store_results(finished)
            self.progress.running(len(self.running), executor.notes())
            if not self.asked_to_stop:
                if not self.backlog and not self._look_around():
                    return
            elif not self.running:
                return
            executor.limit(len(self.backlog) + len(self.running))
            outcomes = executor.wait(POLL_SECONDS)
            finished = [outcome for outcome in outcomes if isinstance(outcome, Finished)]
            if len(finished) < len(outcomes):
                # What is good news first: a missing dataset ends the loop, and must not take
                # along a result that arrived with it.
                self._store_results(finished)
                for outcome in outcomes:
                    self._settle(outcome, executor)
                finished = []

    def _fill(self, executor: Executor) -> None:
        """Give every free slot something to do."""
        while found := self.backlog.take(executor.has_room, executor.largest_multiplier):
            run, multiplier = found
            bundle = [run]
            if multiplier == 1:
                bundle += self.backlog.take_along(run, self.bundle_sizer.bundle_seconds)
            if tasks := self._claim(bundle, multiplier, executor):
                executor.submit(tasks)

    def _look_around(self) -> bool:
        """See what others gave back or left behind; whether there is a reason to stay."""
        if (self.running or self.others) and time.monotonic() < self.look_around_at:
            return True
        self.look_around_at = time.monotonic() + LOOK_AROUND_SECONDS
        there_is_work = self.find_work()
        self.progress.settled(*self._settled())
        if not (self.running or self.backlog):
            self.progress.others(self.others)
        return there_is_work or bool(self.running)

    def _settled(self) -> tuple[int, int]:
        """Runs with nothing left to do, and failed ones, whoever did them."""
        counts = self.store.counts(self.spec.name)
        # A done run that lacks evaluations has work left.
        unmeasured = sum(run.state == "done" for run in self.backlog)
        unmeasured += sum(task.attempt is None for _, task in self.running.values())
        return counts["done"] - unmeasured, counts["failed"]

    def _claim(self, bundle: list[PendingRun], multiplier: int, executor: Executor) -> list[Task]:
        """Tasks for those of the runs that are still to be had."""
        queued = [run.run_id for run in bundle if run.state == "queued"]
        attempts = self.store.claim_all(queued, provenance=self.provenance) if queued else {}
        tasks = []
        for run in bundle:
            attempt = attempts.get(run.run_id)
            if attempt is not None:
                self.leases.add(run.run_id, attempt)
            elif run.state == "queued":
                continue
            task = self._task(run, attempt, multiplier, executor)
            self.running[run.run_id] = (run, task)
            tasks.append(task)
        return tasks

    def _task(
        self, run: PendingRun, attempt: int | None, multiplier: int, executor: Executor
    ) -> Task:
        return Task(
            run_id=run.run_id,
            attempt=attempt,
            config=run.config,
            evaluations=tuple(evaluation.config for evaluation in run.missing_evaluations),
            storage=self.storage.location,
            sentinel=self.sentinel,
            earlier_storages=tuple(s for s in run.storages if s != self.storage.location),
            data_dir=self.home.data,
            device=executor.device,
            threads=self.spec.resources.threads,
            multiplier=multiplier,
            avoid=self.backlog.avoided(run),
            module_folder=Path.cwd(),
            retry_seconds=self.spec.faults.unreachable.seconds,
        )

    def _forget(self, run_id: str) -> tuple[PendingRun, Task]:
        self.leases.remove(run_id)
        return self.running.pop(run_id)

    def _settle(self, outcome: Outcome, executor: Executor) -> None:
        """Store what became of a task."""
        if outcome.task.run_id not in self.running:
            return  # it was taken away while it arrived, or is stored already
        run, task = self._forget(outcome.task.run_id)
        match outcome:
            case LostInCompany(reason=reason):
                if self._release(task, "lost", f"lost with its neighbours: {reason}", None):
                    self.backlog.put_back(run, alone=True)
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
        """As the spec's policy for this kind of fault has it."""
        if task.attempt is not None and self._adopt(task.run_id, task.attempt):
            self.summary.adopted += 1
            self.progress.finished(_label(run), None)
            return
        times = self.backlog.met(run, fault, node)
        error = reason
        if fault != "trainer_error":
            error = f"{_SAID_OF[fault]}{'' if times == 1 else f' {times} times'}: {reason}"
        alone = (
            fault == "out_of_memory"
            and task.multiplier >= executor.largest_multiplier
            and not self.running
        )
        if alone:
            error += "; it had the machine to itself"
        where = {"host": host} if host else None
        if alone or times >= self.spec.faults.attempts(fault):
            self._fail(run, task, error, traceback, fault, where)
        else:
            if task.attempt is not None:
                self.store.release(
                    task.run_id, task.attempt, "lost", error, fault=fault, provenance=where
                )
            self.backlog.put_back(run)
            self.progress.again(_label(run), error)

    def _store_results(self, finished: Sequence[Finished]) -> None:
        """Commit what has finished and was not taken away meanwhile."""
        trained: list[tuple[str, int, Any]] = []
        for outcome in finished:
            if outcome.task.run_id not in self.running:
                continue
            run, task = self.running[outcome.task.run_id]
            if outcome.seconds is not None:
                self.bundle_sizer.note(self._estimated_seconds(run), outcome.seconds)
            if task.attempt is not None:
                trained.append((task.run_id, task.attempt, outcome.result))
            else:
                self._forget(task.run_id)
                self.store.add_evaluations(task.run_id, outcome.result)
                self.summary.evaluated += 1
                self.progress.finished(_label(run), None)
        if not trained:
            return
        try:
            committed = self.store.commit_all(trained)
        except BadResultError as error:
            bad = next(entry for entry in trained if entry[0] == error.run_id)
            self._fail(*self._forget(error.run_id), str(error), None, "trainer_error", None)
            others = {run_id for run_id, _, _ in trained if run_id != bad[0]}
            self._store_results([one for one in finished if one.task.run_id in others])
            return
        for run_id, attempt, result in trained:
            run, _ = self._forget(run_id)
            if run_id not in committed:
                self.progress.taken(_label(run))
                continue
            self.summary.trained += 1
            self.progress.finished(_label(run), result["test_accuracy"])
            self.storage.tidy(run_id, attempt)

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
            self.summary.unmeasured += 1
        elif self.store.fail(
            task.run_id, task.attempt, error, traceback, fault=fault, provenance=where
        ):
            self.summary.failed += 1
        else:
            self.progress.taken(_label(run))
            return
        self.progress.failed(_label(run), task.run_id, error)

    def _release(self, task: Task, outcome: str, reason: str, fault: str | None) -> bool:
        """Queue the run again, unless its attempt had finished all the same; whether it was."""
        if task.attempt is None:
            return True
        if self._adopt(task.run_id, task.attempt):
            self.summary.adopted += 1
            return False
        self.store.release(task.run_id, task.attempt, outcome, reason, fault=fault)
        return True

    def _adopt(self, run_id: str, attempt: int, storage: str | None = None) -> bool:
        """Commit what an attempt had finished before it was cut short; whether there was anything.

        The result file is the worker's last word, and stands whether or not anyone was there to
        hear it.
        """
        result = self.storage.result(run_id, attempt, storage)
        if result is None:
            return False
        with suppress(BadResultError):
            if self.store.commit(run_id, attempt, result):
                self.storage.tidy(run_id, attempt)
                return True
        return False

    def _give_back(self, outcome: str, reason: str, fault: str) -> None:
        """End the attempts of whatever is this driver's own.

        The database knows: a second Control-C may come between a claim and the note of it.
        """
        for run_id, attempt in self.store.held():
            if self._adopt(run_id, attempt):
                self.summary.adopted += 1
            else:
                self.store.release(run_id, attempt, outcome, reason, fault=fault)
        self.running.clear()


_SAID_OF: dict[Fault, str] = {
    "out_of_memory": "out of memory",
    "worker_lost": "its worker was lost",
    "hung": "it hung",
}


def interrupted(sweep: str) -> Interrupted:
    """For whoever was stopped by a signal while working on the sweep."""
    return Interrupted(f"stopped; what was done is kept. To go on: sweep resume {sweep}")


def _label(run: PendingRun) -> str:
    return f"{run.model} [{run.scheme}] depth {run.depth} {run.dataset} seed {run.seed}"
