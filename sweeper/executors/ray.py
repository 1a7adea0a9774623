"""Tasks on Ray: one long-lived actor a slot, on this machine or a cluster.

An actor imports its trainers once and then trains run after run. Ray retries nothing here: lost
workers come back as outcomes and are counted by the scheduler. Slots follow the cluster: those of
a node that died go, those of a node that joined are used, and none is on a node where no run could
train.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from typing_extensions import override

# Both are read when ray is imported. No usage reports are sent, and an actor without
# GPUs keeps seeing what its environment shows.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweeper.errors import ResourceError, SweepError
from sweeper.executors.base import MOST_VALUES, Executor, ExecutorOptions
from sweeper.executors.own_code import as_plain_data, own_code
from sweeper.executors.process_exit import ProcessExit
from sweeper.executors.ray_calls import RayCalls
from sweeper.executors.ray_connection import (
    head,
    join,
    leave,
    own_node,
    signals_deferred,
    start_local,
)
from sweeper.executors.ray_folder import RayFolder
from sweeper.executors.ray_slots import gpu_models, require_room, slots_of_node
from sweeper.executors.ray_worker import Preparation, Slot
from sweeper.executors.reporting import Report
from sweeper.executors.tasks import (
    Finished,
    Loss,
    Lost,
    LostInBundle,
    Outcome,
    Raised,
    Stopped,
    Task,
)

T = TypeVar("T")

_ACTOR = ray.remote(max_restarts=0, max_task_retries=0, concurrency_groups={"watch": 1})(Slot)

CHECK_SECONDS = 2.0
"""How often nodes are counted and the heartbeats of running tasks are read."""

MOST_FAILED_STARTS = 3

LONG_START_SECONDS = 30.0
"""A worker that takes longer to start probably waits for resources that others use."""


@dataclass(eq=False)
class _Worker:
    """An actor as the driver sees it: starting, then idle, then busy, idle, busy, ..."""

    actor: Any
    multiplier: int
    start: Any  # reference to what `prepare` returns; None once that is known
    asked_for_at: float
    node: str = ""
    host: str = ""
    pid: int = 0
    exit: ProcessExit | None = None  # of a process of this machine
    tasks: Sequence[Task] = ()
    outcomes: Any = None  # reference
    heartbeat: Any = None  # reference
    beats: int = -1
    last_beat_at: float = 0.0
    note: str = ""

    @property
    def idle(self) -> bool:
        return self.start is None and not self.tasks


class RayExecutor(Executor):
    """See the module. Made by `start`."""

    def __init__(self, options: ExecutorOptions) -> None:
        self._resources = options.resources
        self._most_slots = sys.maxsize if options.most_slots is None else options.most_slots
        self._wanted_slots = self._most_slots
        self._hung_seconds = options.hung_seconds
        self._advice = (
            "'sweep resume' starts a new one"
            if options.address is None
            else "start it again, and 'sweep resume' continues"
        )
        self._calls = RayCalls(self._advice)
        self._own_node = ""
        self._owns_ray = False
        self._folder: RayFolder | None = None
        self._failed = False
        self._preparation = Preparation(
            as_plain_data(own_code()),
            options.trainers,
            dict(options.code),
            options.module_folders,
            options.compiles,
            options.resources.device,
            options.resources.threads,
            options.without_variables,
        )
        self._workers: list[_Worker] = []
        self._ended: list[Outcome] = []
        self._reports: deque[Report] = deque()
        self._nodes: dict[str, int] = {}
        self._unfit: dict[str, tuple[str, str]] = {}  # host and problem, by node
        self._check_at = self._checked_at = 0.0
        self._failed_starts = 0

    @classmethod
    @override
    def start(cls, options: ExecutorOptions) -> Self:
        executor = cls(options)
        try:
            executor._connect(options)
            executor._calls.head = executor._call(head)
            executor._own_node = executor._call(own_node)
            require_room(executor._count_slots(), options.resources)
        except BaseException:
            executor.close()
            raise
        return executor

    def _connect(self, options: ExecutorOptions) -> None:
        if ray.is_initialized():
            return  # by another executor of this process
        self._owns_ray = True
        if options.address is not None:
            join(self._calls, options.address, options.stop_asked)
            return
        self._folder = RayFolder()
        try:
            start_local(self._calls, self._folder.path, options.dashboard, options.stop_asked)
        except ResourceError:
            self._failed = True
            raise

    def _call(self, work: Callable[[], T], *expected: type[Exception]) -> T:
        """What `work` gives. Raises what is expected of it, and else ResourceError."""
        try:
            return self._calls(work)
        except expected:
            raise
        except SweepError:
            self._failed = True
            raise
        except Exception as error:
            self._failed = True
            raise ResourceError(f"Ray has failed, and what was done is kept: {error}") from error

    @property
    @override
    def device(self) -> str:
        # Ray shows an actor its own GPU only, as the first one.
        return self._resources.device

    @property
    @override
    def largest_multiplier(self) -> int:
        gpus = self._resources.gpus
        if gpus >= 1:
            return 1  # its GPUs are its own already
        whole = int(1 / gpus + 1e-9) if gpus else max(self._nodes.values(), default=1)
        return min(whole, self._most_slots)

    @override
    def limit(self, tasks: int) -> None:
        self._wanted_slots = min(tasks, self._most_slots)

    @override
    def has_room(self, multiplier: int = 1) -> bool:
        return bool(self._room(multiplier))

    def _room(self, multiplier: int) -> dict[str, list[_Worker]]:
        """The nodes where such a task can start, each with its idle workers."""
        idle: dict[str, list[_Worker]] = {}
        busy: Counter[str] = Counter()
        for worker in self._workers:
            if worker.idle:
                idle.setdefault(worker.node, []).append(worker)
            elif worker.tasks:
                busy[worker.node] += worker.multiplier
        if multiplier == 1:
            return idle
        if busy.total() + multiplier > self._most_slots:
            return {}
        # Several slots become one, which need not be where the idle ones are.
        return {
            node: idle.get(node, [])
            for node, slots in self._nodes.items()
            if slots - busy[node] >= multiplier
        }

    @override
    def submit(self, tasks: Sequence[Task]) -> None:
        multiplier = tasks[0].multiplier
        nodes = self._room(multiplier)
        if not nodes:
            raise RuntimeError(f"no room for a task of {multiplier} slots")
        # Not on a node where one was lost, if another has room.
        avoid = frozenset[str]().union(*(task.avoid for task in tasks))
        node = min(nodes, key=lambda node: (node in avoid, -len(nodes[node])))
        if multiplier == 1:
            worker = nodes[node][-1]
        else:
            # All of them, so that what remains of the node's devices is not fragmented.
            for idle in nodes[node]:
                self._end(idle)
            worker = self._new_worker(multiplier, node)
        worker.tasks = tasks
        worker.outcomes = self._call(lambda: worker.actor.execute.remote(tasks))
        worker.beats, worker.note = -1, ""
        worker.last_beat_at = time.monotonic()

    def _new_worker(self, multiplier: int = 1, node: str | None = None) -> _Worker:
        gpus = self._resources.gpus
        options: dict[str, Any] = {
            "num_cpus": self._resources.cpus * multiplier,
            "num_gpus": min(1.0, gpus * multiplier) if gpus < 1 else gpus,
        }
        if node is not None:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node, soft=False)

        def start() -> tuple[Any, Any]:
            actor = _ACTOR.options(**options).remote()
            return actor, actor.prepare.remote(*self._preparation)

        actor, prepared = self._call(start)
        worker = _Worker(actor, multiplier, prepared, time.monotonic(), node=node or "")
        self._workers.append(worker)
        return worker

    @override
    def running(self) -> int:
        return sum(bool(worker.tasks) and worker.start is None for worker in self._workers)

    @override
    def wait(self, timeout: float) -> list[Outcome]:
        deadline = time.monotonic() + timeout
        while True:
            if time.monotonic() >= self._check_at:
                self._check()
            outcomes, self._ended = self._ended, []
            left = max(0.0, min(deadline, self._check_at) - time.monotonic())
            slots = len(self.process_ids())
            outcomes += self._arrived(0.0 if outcomes else left)
            if outcomes or len(self.process_ids()) > slots or time.monotonic() >= deadline:
                return outcomes

    def _arrived(self, timeout: float) -> list[Outcome]:
        """The outcomes that are there, or the first of them; also notes which workers started."""
        waiting = {worker.outcomes: worker for worker in self._workers if worker.tasks}
        waiting |= {worker.start: worker for worker in self._workers if worker.start is not None}
        if not waiting:
            time.sleep(timeout)
            return []

        def ready() -> list[Any]:
            if not ray.wait(list(waiting), num_returns=1, timeout=timeout)[0]:
                return []
            # Everything else that is ready by now, too.
            return list(ray.wait(list(waiting), num_returns=len(waiting), timeout=0)[0])

        outcomes: list[Outcome] = []
        for reference in self._call(ready):
            worker = waiting[reference]
            if reference is worker.start:
                self._started(worker)
            else:
                outcomes += self._outcomes(worker)
        return outcomes

    def _started(self, worker: _Worker) -> None:
        try:
            node, worker.host, worker.pid, problem = self._call(
                lambda: ray.get(worker.start), RayError
            )
        except RayError as error:
            if not worker.tasks:  # else it comes out as the outcome of its task
                self._failed_start(worker, _reason(error))
            return
        worker.node, worker.heartbeat, self._failed_starts = node, None, 0
        if problem:
            self._unfit[node] = worker.host, problem
            self._ended += self._lost(worker, problem, "worker_lost")
        else:
            worker.start = None
            if node == self._own_node:
                worker.exit = ProcessExit(worker.pid)

    def _failed_start(self, worker: _Worker, reason: str) -> None:
        self._end(worker)
        self._failed_starts += 1
        self._check_at = time.monotonic() + CHECK_SECONDS  # and not at once again
        alive = any(other.start is None for other in self._workers)
        if self._failed_starts >= MOST_FAILED_STARTS and not alive:
            self._failed = True
            logs = f"; {self._folder.path} has Ray's logs" if self._folder else ""
            raise ResourceError(f"Ray cannot start a worker: {reason}{logs}")

    def _outcomes(self, worker: _Worker) -> list[Outcome]:
        try:
            outcomes: list[Outcome] = self._call(lambda: ray.get(worker.outcomes), RayError)
        except RayError as error:
            # The process is gone: killed, out of memory, or its node lost.
            no_memory = isinstance(error, OutOfMemoryError) or "running low on memory" in str(error)
            kind: Loss = "out_of_memory" if no_memory else "worker_lost"
            return self._lost(worker, _reason_of_loss(error, worker.exit), kind)
        if not all(isinstance(outcome, Finished) for outcome in outcomes):
            # What a run had reported by then is on its way.
            self._read_heartbeat(worker, time.monotonic())
        worker.tasks, worker.outcomes, worker.heartbeat = (), None, None
        # After an error on a GPU, a process may fail whatever it does next, or keep its memory.
        raised = any(isinstance(outcome, Raised) for outcome in outcomes)
        spoilt = raised and self._resources.gpus > 0
        if spoilt or worker.multiplier > 1 or self._larger_worker_starts():
            self._end(worker)
        return outcomes

    def _lost(self, worker: _Worker, reason: str, kind: Loss) -> list[Outcome]:
        """Ends the worker; the outcomes of its tasks."""
        self._read_heartbeat(worker, time.monotonic())
        self._end(worker)
        if len(worker.tasks) > 1:
            return [LostInBundle(task, reason) for task in worker.tasks]
        return [Lost(task, reason, kind, worker.host, worker.node) for task in worker.tasks]

    def _larger_worker_starts(self) -> bool:
        """Whether a worker of several slots waits for others to make room."""
        return any(worker.multiplier > 1 and worker.start is not None for worker in self._workers)

    def _check(self) -> None:
        """Follow the cluster as machines come and go, and check the running tasks."""
        now = time.monotonic()
        if now - self._checked_at > 5 * CHECK_SECONDS:
            # The driver itself was suspended, or waited for its database.
            for worker in self._workers:
                worker.last_beat_at = now
        self._checked_at, self._check_at = now, now + CHECK_SECONDS
        self._count_slots()
        if not self._nodes and self._unfit:
            _, problem = next(iter(self._unfit.values()))
            raise ResourceError(problem)
        for worker in list(self._workers):
            if worker.idle and worker.node not in self._nodes:
                self._end(worker)
        self._match_slots(min(self._wanted_slots, sum(self._nodes.values())))
        for worker in list(self._workers):
            if not worker.idle:
                self._check_heartbeat(worker)

    def _count_slots(self) -> list[dict[str, Any]]:
        """Also returns all nodes, as Ray describes them."""
        described: list[dict[str, Any]] = self._call(ray.nodes)
        alive = {node["NodeID"]: node["Resources"] for node in described if node["Alive"]}
        if self._own_node not in alive:
            raise ResourceError(
                "Ray's process on this machine has ended, perhaps out of memory; finished work is"
                f" kept: {self._advice}"
            )
        self._unfit = {node: why for node, why in self._unfit.items() if node in alive}
        self._nodes = {
            node: slots
            for node, resources in alive.items()
            if node not in self._unfit and (slots := slots_of_node(resources, self._resources))
        }
        return described

    def _match_slots(self, wanted: int) -> None:
        there = sum(worker.multiplier for worker in self._workers)
        if not self._larger_worker_starts():
            for _ in range(there, wanted):
                self._new_worker()
        # Workers that have not started are those without resources.
        spare = [w for w in self._workers if not w.tasks and w.start is not None]
        spare += [w for w in self._workers if w.idle]
        for worker in spare[: max(0, there - wanted)]:
            self._end(worker)

    def _check_heartbeat(self, worker: _Worker) -> None:
        now = time.monotonic()
        if worker.start is not None and worker.beats < 0:
            worker.last_beat_at = now  # it waits for resources

        self._read_heartbeat(worker, now)
        if worker.heartbeat is None:
            # While nobody stores what has arrived, the rest waits where it is.
            share = MOST_VALUES // len(self._workers) + 1
            most = share if len(self._reports) < 2 * len(self._workers) else 0
            worker.heartbeat = self._call(lambda: worker.actor.heartbeat.remote(most))
        silent = now - worker.last_beat_at
        if silent > self._hung_seconds:
            reason = f"no heartbeat for {silent:.0f} s"
            if worker.tasks:
                self._ended += self._lost(worker, reason, "hung")
            else:
                self._failed_start(worker, f"{reason} while it imported what trains")

    def _read_heartbeat(self, worker: _Worker, now: float) -> None:
        """Notes what a worker has answered, if it has."""

        def answer() -> Any:
            if not ray.wait([worker.heartbeat], timeout=0)[0]:
                return None
            return ray.get(worker.heartbeat)

        if worker.heartbeat is None:
            return
        try:
            answered = self._call(answer, RayError)
        except RayError:  # comes out as the outcome of the task
            worker.heartbeat = None
            return
        if answered is None:
            return
        worker.heartbeat = None
        beats, worker.note, report = answered
        if report is not None:
            self._reports.append(report)
        if beats != worker.beats:
            worker.beats, worker.last_beat_at = beats, now

    def _end(self, worker: _Worker) -> None:
        if worker.exit is not None:
            worker.exit.close()
        self._call(lambda: ray.kill(worker.actor, no_restart=True))
        self._workers.remove(worker)
        self._check_at = 0.0  # a new worker is to replace it

    @override
    def notes(self) -> dict[str, str]:
        if not self._nodes:
            return {"the cluster": "no machine has room for a run"}
        overdue = time.monotonic() - LONG_START_SECONDS
        waiting = [w.start is not None and w.asked_for_at < overdue for w in self._workers]
        if waiting and all(waiting):
            return {"the cluster": "no worker has started yet; others may use its CPUs and GPUs"}
        notes = {w.tasks[0].run_id: w.note for w in self._workers if w.tasks and w.note}
        return {f"host {host}": problem for host, problem in self._unfit.values()} | notes

    @override
    def reports(self) -> list[Report]:
        found: list[Report] = []
        with suppress(IndexError):
            while True:
                found.append(self._reports.popleft())
        return found

    @property
    @override
    def gpu_models(self) -> tuple[str, ...]:
        return gpu_models(self._call(ray.nodes))

    @override
    def ask_to_stop(self) -> None:
        for worker in list(self._workers):
            if worker.tasks and worker.start is not None:
                self._end(worker)  # it waits for resources, and has nothing to store
                self._ended += [Stopped(task, began=False) for task in worker.tasks]
            elif worker.tasks:
                self._call(worker.actor.ask_to_stop.remote)

    @override
    def kill(self, run_id: str) -> None:
        for worker in list(self._workers):
            if any(task.run_id == run_id for task in worker.tasks):
                self._end(worker)
                others = [task for task in worker.tasks if task.run_id != run_id]
                self._ended += [LostInBundle(task, "another was killed") for task in others]

    def process_ids(self) -> list[int]:
        """Of the workers that have started."""
        return [worker.pid for worker in self._workers if worker.start is None]

    @override
    def close(self) -> None:
        with signals_deferred():
            with suppress(SweepError):  # what ends the sweep is the first error
                for worker in list(self._workers):
                    self._end(worker)
            if self._owns_ray:
                leave(self._calls)
            # Of a Ray that gave no answer, processes may still write there: when this one has
            # ended, the next driver removes it.
            if self._folder is not None and not (self._failed or self._calls.lost):
                self._folder.remove()


def _reason(error: RayError) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason'}"


def _reason_of_loss(error: RayError, process: ProcessExit | None) -> str:
    if not isinstance(error, ActorDiedError) or "Worker unexpectedly exits" not in str(error):
        return _reason(error)
    # All that Ray knows is that its connection was closed.
    how = None if process is None else process.said()
    if how is None:
        return "its process ended at once: it crashed, left by os._exit, or was killed"
    also = ", which the system sends when memory runs out" if how == "by SIGKILL" else ""
    return f"its process ended {how}{also}"
