"""The real scheduler, which goes on only when it is told to, and can be killed anywhere."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

from checked_store import CheckedStore
from executor_with_room import ExecutorWithRoom
from results.errors import DriverBusyError
from sweeper.errors import Interrupted, ResourceError
from sweeper.executors.base import Executor
from sweeper.executors.placement import Room
from sweeper.executors.tasks import Lost, LostInBundle, Outcome, Stopped, Task
from sweeper.home import Home
from sweeper.planning.cost import CostModel
from sweeper.scheduling.lease_keeper import LeaseKeeper
from sweeper.scheduling.progress import Progress
from sweeper.scheduling.scheduler import run_sweep
from sweeper.scheduling.signals import StopRequest
from sweeper.spec.spec import Spec
from trainers.errors import StorageError

PATIENCE_SECONDS = 60.0
"""How long the test waits for a sweep that should reach its next pause in a moment."""


class Killed(BaseException):
    """The process of the sweep is gone."""


class SteppedSweep:
    """`run_sweep` in a thread of its own, which pauses before each call of the store and at each
    `wait` of the executor. Only one of the test and its sweeps ever runs.

    Attributes:
        executor: None before the sweep starts one.
        error: what an ended sweep raised, if it did.
    """

    def __init__(self, spec: Spec, store: CheckedStore, home: Home, slots: int) -> None:
        self.store = store
        self.stop = StopRequest(grace=0)
        self.executor: ScriptedExecutor | None = None
        self.keeper: SteppedLeaseKeeper | None = None
        self.ended = False
        self.error: BaseException | None = None
        self._failure: BaseException | None = None
        self._dead = False
        self._interrupted = False
        self._go, self._paused = threading.Semaphore(0), threading.Semaphore(0)

        def start() -> Executor:
            self.executor = ScriptedExecutor(slots, self._pause)
            return self.executor

        def work() -> None:
            self._go.acquire()
            try:
                run_sweep(
                    spec,
                    PausingStore(store, self),  # type: ignore[arg-type]
                    home,
                    start,
                    CostModel({}),
                    Progress(io.StringIO()),
                    self.stop,
                    "tests",
                )
            except (Interrupted, KeyboardInterrupt, ResourceError, StorageError) as error:
                self.error = error
            except (DriverBusyError, Killed) as error:
                self.error = error
            except BaseException as error:
                self._failure = error
            finally:
                self.ended = True
                self._paused.release()

        self._thread = threading.Thread(target=work, name="stepped sweep", daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Lets it go on to its next pause, or its end. Raises what it should not have raised."""
        self._go.release()
        assert self._paused.acquire(timeout=PATIENCE_SECONDS), "the sweep does not come back"
        if self.ended:
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def kill(self) -> None:
        """Nothing of it happens any more, and its lock goes without a word."""
        if not self.ended:
            self._dead = True
            self.store.die()
            self.step()
            assert self.ended

    def interrupt(self) -> None:
        """A second Control-C, at its next pause."""
        self._interrupted = True

    def renew(self) -> None:
        """What the lease keeper's thread does from time to time."""
        if self.keeper is not None and self.keeper.works:
            self.keeper.renew_once()

    def tasks(self) -> list[Task]:
        """Those whose end has not come out yet."""
        return [] if self.executor is None or self.ended else self.executor.unfinished()

    def pause(self) -> None:
        if threading.current_thread() is self._thread:
            self._pause()

    def _pause(self) -> None:
        if not self._dead:
            self._paused.release()
            self._go.acquire()
        if self._dead:
            raise Killed
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt


class PausingStore:
    """The store as the sweep's thread sees it."""

    def __init__(self, store: CheckedStore, sweep: SteppedSweep) -> None:
        self._store = store
        self.sweep = sweep

    @property
    def _database(self) -> Any:
        return self._store._database

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._store, name)

        def paused(*arguments: Any, **options: Any) -> Any:
            self.sweep.pause()
            return call(*arguments, **options)

        return paused


class SteppedLeaseKeeper(LeaseKeeper):
    """Has no thread; the test says when it is its turn."""

    works = False

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        store.sweep.keeper = self

    def renew_once(self) -> None:
        self._ended = _Turns(1)  # type: ignore[assignment]
        self._renew()

    def __enter__(self) -> Self:
        self.works = True
        return self

    def __exit__(self, *exception: object) -> None:
        self.works = False


class _Turns:
    """In place of an event: is not set for a number of waits."""

    def __init__(self, turns: int) -> None:
        self._turns = turns

    def wait(self, timeout: float) -> bool:
        self._turns -= 1
        return self._turns < 0


class ScriptedExecutor(ExecutorWithRoom):
    """Its tasks end when the test says so."""

    def __init__(self, slots: int, pause: Callable[[], None]) -> None:
        super().__init__(Room({"": slots}))
        self._pause = pause
        self._bundles: list[list[Task]] = []
        self._arrived: list[Outcome] = []
        self._asked = False

    def limit(self, tasks: int) -> None:
        there = sum(len(b) for b in self._bundles if b[0].processes == 1)
        assert tasks >= there, "slots are taken from tasks that run"

    def held(self) -> dict[str, dict[str, int]]:
        return {bundle[-1].run_id: {"": bundle[0].demand.slots} for bundle in self._bundles}

    def submit(self, tasks: Sequence[Task]) -> None:
        if not self.has_room(tasks[0].demand):
            raise RuntimeError("no room")
        there = {task.run_id for bundle in self._bundles for task in bundle}
        for task in tasks:
            assert task.run_id not in there, "a run is on two slots of one driver"
            there.add(task.run_id)
        self._bundles.append(list(tasks))

    def unfinished(self) -> list[Task]:
        ended = {outcome.task.run_id for outcome in self._arrived}
        tasks = (task for bundle in self._bundles for task in bundle)
        return [task for task in tasks if task.run_id not in ended]

    def end(self, outcome: Outcome) -> None:
        neighbours = self._unfinished_neighbours(outcome.task.run_id)
        if isinstance(outcome, Lost) and neighbours:
            lost = [outcome.task, *neighbours]
            self._arrived += [LostInBundle(task, outcome.reason) for task in lost]
        else:
            self._arrived.append(outcome)

    def _unfinished_neighbours(self, run_id: str) -> list[Task]:
        (bundle,) = (b for b in self._bundles if any(task.run_id == run_id for task in b))
        unfinished = {task.run_id for task in self.unfinished()} - {run_id}
        return [task for task in bundle if task.run_id in unfinished]

    def wait(self, timeout: float) -> list[Outcome]:
        self._pause()
        if self._asked:
            first = {bundle[0].run_id for bundle in self._bundles}
            self._arrived += [Stopped(t, began=t.run_id in first) for t in self.unfinished()]
        arrived, self._arrived = self._arrived, []
        for outcome in arrived:
            self._remove(outcome.task.run_id)
        return arrived

    def _remove(self, run_id: str) -> None:
        for bundle in self._bundles:
            bundle[:] = [task for task in bundle if task.run_id != run_id]
        self._bundles = [bundle for bundle in self._bundles if bundle]

    def ask_to_stop(self) -> None:
        self._asked = True

    def kill(self, run_id: str) -> None:
        if any(task.run_id == run_id for task in self.unfinished()):
            neighbours = self._unfinished_neighbours(run_id)
            self._arrived += [LostInBundle(task, "another was killed") for task in neighbours]
        self._arrived = [outcome for outcome in self._arrived if outcome.task.run_id != run_id]
        self._remove(run_id)

    def close(self) -> None:
        self._bundles.clear()
