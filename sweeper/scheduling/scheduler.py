"""The life of a sweep: save it, adopt what was finished, claim and run the rest, store results.

Only drivers write the database, each what it has claimed. Everything a driver does can be cut
short at any moment: a run whose result is not committed is adopted or queued again by the next
driver, and goes on from its newest checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from pydantic import ValidationError

from results.errors import DatabaseError
from results.queries.queries import Queries
from results.records import OtherDriver, PendingRun, SweepChange
from results.store.store import Store
from sweeper.errors import Interrupted, ResourceError
from sweeper.executors import Executor
from sweeper.executors.placement import Demand
from sweeper.executors.tasks import Finished
from sweeper.home import Home
from sweeper.planning.cost import CostModel
from sweeper.planning.plan import new_evaluation, new_runs
from sweeper.scheduling.backfilling import Reservation, reserve
from sweeper.scheduling.backlog import Backlog, processes_of
from sweeper.scheduling.bundles import BundleSizer
from sweeper.scheduling.claims import Claims
from sweeper.scheduling.outcomes import Outcomes, first_sentence
from sweeper.scheduling.progress import Progress
from sweeper.scheduling.report_keeper import ReportKeeper
from sweeper.scheduling.run_labels import RunLabels
from sweeper.scheduling.run_storage import RunStorage
from sweeper.scheduling.signals import StopRequest
from sweeper.scheduling.sizing import yet_to_train
from sweeper.scheduling.summary import Summary
from sweeper.spec.spec import Spec
from trainers.config.run import parse_run
from trainers.config.trainer_run import TrainerRun
from trainers.errors import StorageError

POLL_SECONDS = 0.5

OTHERS_SECONDS = 5.0
"""How often a driver with nothing left to claim looks for runs that other drivers released."""

NOMINAL_SECONDS = 1.0
"""Of a run whose time nobody knows; one that was measured shows what the others of its kind take.
With less, such as nothing, all of them would be handed to the first slot at once."""

STOPPED = "stopped; what was done is kept"


class NotBegun(Interrupted):
    """Stopped before the sweep was saved: it is still what it was, if there was one."""


def run_sweep(
    spec: Spec,
    store: Store,
    home: Home,
    start_executor: Callable[[], Executor],
    costs: CostModel,
    progress: Progress,
    stop: StopRequest,
    command: str,
) -> Summary:
    """Bring the sweep to its end: after this, each of its runs is done, failed or cancelled.

    Other drivers are told that this one's `command` works here.

    Raises:
        DriverBusyError: another process drives this database, and it is a SQLite file.
        ResourceError: no slot, or storage or a dataset is missing; nothing that was done is lost.
        Interrupted: by a signal; the same. NotBegun if the sweep is still what it was.
    """

    def wait(sentence: str) -> None:
        progress.waiting(sentence)
        if stop.asked:
            raise Interrupted(STOPPED)

    storage = RunStorage(home.storage, spec.faults.unreachable.seconds, wait)
    with store.driving(command=command):
        storage.take_place(store.identity())
        store.writes_to(storage.location)
        with storage.sentinel() as sentinel, ExitStack() as stack:
            early = None
            if replacing := _replaces_runs(store, spec):
                with _unchanged_if_stopped(spec):
                    early = stack.enter_context(start_executor())
                early.require(max(config.processes for config in replacing))
            summary = Summary(save(store, spec))
            storage.keep_spec(spec)
            driver = _Driver(
                spec, store, storage, sentinel, home, costs, progress, stop, summary, command
            )
            if driver.find_work():
                driver.run(start_executor if early is None else lambda: _handed_over(early, stack))
            return summary


def _replaces_runs(store: Store, spec: Spec) -> list[TrainerRun]:
    """Those that are yet to train, if saving takes others out of a sweep that was there.

    What cannot run at all, such as on a device that this machine has not, is not to change it.
    """
    queries = Queries.of(store)
    ids = {config.run_id for config in spec.configs}
    if queries.run_ids(spec.name) <= ids:
        return []
    return yet_to_train(spec, queries)


@contextmanager
def _unchanged_if_stopped(spec: Spec) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        raise NotBegun(
            f"stopped before anything was changed; {spec.name} is as it was. To begin: the same"
            " command again"
        ) from None


def _handed_over(executor: Executor, stack: ExitStack) -> Executor:
    """The executor, which `stack` does not close any more."""
    stack.pop_all()
    return executor


def save(store: Store, spec: Spec) -> SweepChange:
    """Makes the sweep in the database what its spec asks for."""
    return store.save_sweep(
        spec.name,
        spec.text,
        spec.source,
        spec.overrides,
        spec.description,
        new_runs(spec.configs),
        [new_evaluation(evaluation) for evaluation in spec.evaluations],
        published=spec.published,
    )


@dataclass
class _Driver:
    """One pass over a sweep, until no driver has a run of it left."""

    spec: Spec
    store: Store
    storage: RunStorage
    sentinel: str
    home: Home
    costs: CostModel
    progress: Progress
    stop: StopRequest
    summary: Summary
    command: str
    estimates: dict[str, float] = field(default_factory=dict)
    others: list[OtherDriver] = field(default_factory=list)
    look_again_at: float = 0.0
    asked_to_stop: bool = False

    def __post_init__(self) -> None:
        self.backlog = Backlog(self._estimated_seconds, self._reserve, self._starting_multiplier)
        self.sized_for = self.costs.slot
        self.bundle_sizer = BundleSizer()
        self.configs = {config.run_id: config for config in self.spec.configs}
        self.labels = RunLabels(self.spec.configs)
        self.claims = Claims(
            self.spec,
            self.store,
            self.storage,
            self.sentinel,
            self.home.data,
            self.backlog,
            self.command,
        )
        self.reports = ReportKeeper(self.store, self.progress.refused)
        self.outcomes = Outcomes(
            self.spec.faults,
            self.store,
            self.storage,
            self.claims,
            self.backlog,
            self.progress,
            self.labels,
            self.summary,
            self.reports,
            self._note_seconds,
        )

    def find_work(self) -> bool:
        """Take over the runs of drivers that are gone, and note what can be claimed.

        Whether this driver or another has anything left to do. A driver that ends between these
        queries is found by a later one, or makes this driver ask again.
        """
        self.others = self.store.others(self.spec.name)
        self.outcomes.adopt_orphans()
        known = {run.run_id for run in self.backlog}
        known |= self.claims.running.keys() | self.outcomes.not_evaluated
        pending = [run for run in self.store.pending(self.spec.name) if run.run_id not in known]
        self.backlog.add(pending)
        return bool(pending or self.others)

    def _estimated_seconds(self, run: PendingRun) -> float:
        known = self.estimates.get(run.run_id)
        if known is None:
            passes = sum(evaluation.passes for evaluation in self.spec.evaluations)
            known = self.costs.seconds(self._config(run), passes) or NOMINAL_SECONDS
            self.estimates[run.run_id] = known
        return known if run.state == "queued" else known / (run.epochs or 1)

    def _starting_multiplier(self, run: PendingRun) -> int:
        """By the memory that it is expected to need, also to evaluate its weights."""
        found = self.costs.estimate(self._config(run), 0)
        return 1 if found is None else found.multiplier

    def _reserve(self, demand: Demand, executor: Executor) -> Reservation:
        now = time.monotonic()
        left = {run_id: end - now for run_id, end in self.claims.ends.items()}
        return reserve(demand, executor.room(), executor.held(), left)

    def _note_seconds(self, run: PendingRun, seconds: float) -> None:
        self.bundle_sizer.note(self._estimated_seconds(run), seconds)

    def _config(self, run: PendingRun) -> TrainerRun:
        if run.run_id in self.configs:
            return self.configs[run.run_id]
        try:
            return parse_run(run.config)
        except ValidationError as error:
            raise ResourceError(
                f"the database is damaged: the config of run {run.run_id} is invalid"
                f" ({error.error_count()} errors); repair it by hand, or restore an older copy"
            ) from error

    def run(self, start_executor: Callable[[], Executor]) -> None:
        """Work until nothing is left. Raises as `run_sweep` does."""
        done, failed = self._settled()
        try:
            with (
                self.claims.leases,
                start_executor() as executor,
                self.reports.following(executor),
                self.progress.following(self.spec.name, done, len(self.spec.configs), failed),
            ):
                executor.require(self.backlog.widest)
                if self.costs.slot != self.sized_for:
                    # Only the executor knew on which device they train.
                    self.estimates.clear()
                    self.backlog.sort_again()
                self._loop(executor)
        except (KeyboardInterrupt, Interrupted):
            # Without a database, the next driver finds out what was running.
            with suppress(DatabaseError, StorageError, Interrupted):
                self.outcomes.give_back("interrupted", "stopped by a signal", "stopped")
            raise Interrupted(STOPPED) from None
        except StorageError:
            # Results cannot be read now. The next driver adopts them, or queues the runs again.
            raise
        except ResourceError as error:
            with suppress(DatabaseError, StorageError, Interrupted):
                self.outcomes.give_back("interrupted", first_sentence(error), "stopped")
            raise
        except BaseException:
            with suppress(DatabaseError, StorageError, Interrupted):
                self.outcomes.give_back("lost", "the driver stopped on an error", "driver_lost")
            raise
        if self.asked_to_stop:
            raise Interrupted(STOPPED)

    def _loop(self, executor: Executor) -> None:
        finished: list[Finished] = []
        while True:
            for run_id in self.claims.leases.lost():
                executor.kill(run_id)
                run, _ = self.claims.forget(run_id)
                self.progress.taken(self.labels.of(run))
            if self.stop.asked and not self.asked_to_stop:
                self.asked_to_stop = True
                executor.ask_to_stop()
            # Slots have work again before what they did is stored: it is safe in a file.
            if not self.asked_to_stop:
                self._fill(executor)
            self.outcomes.commit_results(finished)
            self.progress.running(executor.running(), self._notes(executor))
            if not self.asked_to_stop:
                if not self.backlog and not self._find_released():
                    return
            elif not self.claims.running:
                return
            tasks = [task for _, task in self.claims.running.values()]
            running = sum(task.multiplier for task in tasks if task.processes == 1)
            executor.limit(self.backlog.slots_of_one_process + running)
            outcomes = executor.wait(POLL_SECONDS)
            finished = [outcome for outcome in outcomes if isinstance(outcome, Finished)]
            if len(finished) < len(outcomes):
                # Results first: a missing dataset ends the loop, and a result that arrived with it
                # is not to be lost.
                self.outcomes.commit_results(finished)
                for outcome in outcomes:
                    self.outcomes.settle(outcome, executor)
                finished = []

    def _fill(self, executor: Executor) -> None:
        """Give every free slot something to do."""
        while found := self.backlog.take(executor):
            run, multiplier = found
            bundle = [run]
            if multiplier == 1 and processes_of(run) == 1:
                bundle += self.backlog.take_along(
                    run, self.bundle_sizer.bundle_seconds, executor.running() + 1
                )
            if tasks := self.claims.claim(bundle, multiplier, executor.device):
                executor.submit(tasks)
                end = time.monotonic()
                for task in tasks:
                    end += self._estimated_seconds(self.claims.running[task.run_id][0])
                    self.claims.ends[task.run_id] = end

    def _notes(self, executor: Executor) -> dict[str, str]:
        """What is waited for: by the executor, and by the run that comes next."""
        notes = executor.notes()
        running = [task.demand for _, task in self.claims.running.values()]
        if (found := self.backlog.short_of_room(running)) is not None:
            run, demand = found
            needs = f"it needs {demand.slots} slots at once"
            if not self.claims.running:
                # Machines may have gone since it was found that they had room for it.
                try:
                    executor.require(demand.processes)
                except ResourceError as error:
                    needs = str(error)
            notes = {**notes, self.labels.of(run): needs}
        return notes

    def _find_released(self) -> bool:
        """Look for runs that other drivers released; whether there is a reason to go on."""
        if (self.claims.running or self.others) and time.monotonic() < self.look_again_at:
            return True
        self.look_again_at = time.monotonic() + OTHERS_SECONDS
        there_is_work = self.find_work()
        self.progress.settled(*self._settled())
        if not (self.claims.running or self.backlog):
            self.progress.others(self.others)
        return there_is_work or bool(self.claims.running)

    def _settled(self) -> tuple[int, int]:
        """How many runs have nothing left to do, and how many failed, by any driver."""
        counts = self.store.counts(self.spec.name)
        # A done run that lacks evaluations has work left.
        unmeasured = sum(run.state == "done" for run in self.backlog)
        unmeasured += sum(task.attempt is None for _, task in self.claims.running.values())
        return counts["done"] - unmeasured, counts["failed"]
