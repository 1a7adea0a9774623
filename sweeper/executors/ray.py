"""Tasks on Ray: one long-lived actor a slot, on this machine or a cluster.

An actor imports its trainers once and then trains run after run. A task of several processes has
actors of its own, which are there for it alone. Ray retries nothing here: lost
workers come back as outcomes and are counted by the scheduler. Slots follow the cluster: those of
a node that died go, those of a node that joined are used, and none is on a node where no run could
train.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

from typing_extensions import override

# Both are read when ray is imported. No usage reports are sent, and an actor without
# GPUs keeps seeing what its environment shows.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweeper.errors import ResourceError, SweepError
from sweeper.executors.base import MOST_VALUES, Executor, ExecutorOptions
from sweeper.executors.own_code import as_plain_data, own_code
from sweeper.executors.placement import ONE_SLOT, Demand, Room
from sweeper.executors.ray_connection import signals_deferred
from sweeper.executors.ray_gang import Gang
from sweeper.executors.ray_process import Call, RayProcess, reason
from sweeper.executors.ray_session import RaySession
from sweeper.executors.ray_slots import (
    gpu_models,
    place_of,
    require_places,
    require_room,
    slots_of_node,
)
from sweeper.executors.ray_worker import Preparation
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
    Unplaced,
)
from sweeper.spec.resources import slots_of_gpu

CHECK_SECONDS = 2.0
"""How often nodes are counted and the heartbeats of running tasks are read."""

MOST_FAILED_STARTS = 3

LONG_START_SECONDS = 30.0
"""A worker that takes longer to start probably waits for resources that others use."""


class _Worker(RayProcess):
    """The process of a slot: starting, then idle, then busy, idle, busy, ..."""

    def __init__(
        self,
        call: Call,
        preparation: Preparation,
        options: dict[str, Any],
        multiplier: int,
        node: str,
    ) -> None:
        super().__init__(call, preparation, options)
        self.multiplier = multiplier
        self.node = node
        self.tasks: Sequence[Task] = ()

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
        self._ray = RaySession(options)
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
        self._gangs: list[Gang] = []
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
            executor._ray.connect()
            require_room(executor._count_slots(), options.resources)
        except BaseException:
            executor.close()
            raise
        return executor

    @property
    @override
    def device(self) -> str:
        # Ray shows an actor its own GPU only, as the first one.
        return self._resources.device

    @override
    def largest_multiplier(self, processes: int = 1) -> int:
        gpus = self._resources.gpus
        if gpus >= 1:
            return 1  # its GPUs are its own already
        most = self._all_room().largest_multiplier(processes)
        return min(slots_of_gpu(gpus), most) if gpus else most

    @override
    def require(self, processes: int) -> None:
        require_places(self._count_slots(), self._all_room(), self._resources, processes)

    @override
    def limit(self, tasks: int) -> None:
        self._wanted_slots = min(tasks, self._most_slots)

    def _all_room(self) -> Room:
        """When nothing runs."""
        return Room(self._nodes, self._most_slots, spread=self._resources.nodes)

    @override
    def room(self) -> Room:
        room = self._all_room()
        for slots in self.held().values():
            room = room.with_less(slots)
        return room

    @override
    def held(self) -> dict[str, dict[str, int]]:
        found = {w.tasks[-1].run_id: {w.node: w.multiplier} for w in self._workers if w.tasks}
        return found | {gang.task.run_id: dict(gang.slots) for gang in self._gangs}

    @override
    def has_room(self, demand: Demand = ONE_SLOT) -> bool:
        if demand.processes == 1:
            return bool(self._room_of_one(demand.multiplier))
        return self.room().places(demand) is not None

    def _room_of_one(self, multiplier: int) -> dict[str, list[_Worker]]:
        """The nodes where such a process can start, each with its idle workers."""
        idle: dict[str, list[_Worker]] = {}
        for worker in self._workers:
            if worker.idle:
                idle.setdefault(worker.node, []).append(worker)
        if multiplier == 1:
            return idle
        # Several slots become one, which need not be where the idle ones are.
        room = self.room()
        return {
            node: idle.get(node, [])
            for node, slots in room.free.items()
            if min(slots, room.most) >= multiplier
        }

    @override
    def submit(self, tasks: Sequence[Task]) -> None:
        # Not on a node where one was lost, if another has room.
        avoid = frozenset[str]().union(*(task.avoid for task in tasks))
        if tasks[0].processes > 1:
            (task,) = tasks
            self._submit_gang(task, avoid)
            return
        multiplier = tasks[0].multiplier
        nodes = self._room_of_one(multiplier)
        if not nodes:
            raise RuntimeError(f"no room for a task of {multiplier} slots")
        node = min(nodes, key=lambda node: (node in avoid, -len(nodes[node])))
        if multiplier == 1:
            worker = nodes[node][-1]
        else:
            # All of them, so that what remains of the node's devices is not fragmented.
            for idle in nodes[node]:
                self._end(idle)
            self._make_room({node: multiplier})
            worker = self._new_worker(multiplier, node)
        worker.tasks = tasks
        worker.execute(tasks)

    def _submit_gang(self, task: Task, avoid: frozenset[str]) -> None:
        room = self.room()
        elsewhere = replace(room, free={n: s for n, s in room.free.items() if n not in avoid})
        without = frozenset(self._unfit)
        if (places := elsewhere.places(task.demand)) is not None:
            without |= avoid
        elif (places := room.places(task.demand)) is None:
            raise RuntimeError(f"no room for a task of {task.demand.slots} slots")
        self._make_room(places)
        place = place_of(self._resources, task.multiplier)
        spread = self._resources.nodes
        gang = Gang(self._ray, task, self._preparation, places, place, spread, without)
        self._gangs.append(gang)

    def _make_room(self, places: Mapping[str, int]) -> None:
        """End as many idle workers as are in the way of so many slots on these nodes.

        Others too, where otherwise there would be more slots than are wanted at a time.
        """
        for worker in [w for w in self._workers if w.start is not None and not w.tasks]:
            self._end(worker)  # it waits for the same resources
        taken = self._all_room()
        for worker in self._workers:
            taken = taken.with_less({worker.node: worker.multiplier})
        for gang in self._gangs:
            taken = taken.with_less(gang.slots)
        lacking = sum(places.values()) - taken.most
        for node, slots in places.items():
            idle = [worker for worker in self._workers if worker.idle and worker.node == node]
            for worker in idle[: max(0, slots - taken.free[node])]:
                self._end(worker)
                lacking -= worker.multiplier
        for worker in [worker for worker in self._workers if worker.idle][: max(0, lacking)]:
            self._end(worker)

    def _new_worker(self, multiplier: int = 1, node: str | None = None) -> _Worker:
        options: dict[str, Any] = place_of(self._resources, multiplier)
        if node is not None:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node, soft=False)
        worker = _Worker(self._ray, self._preparation, options, multiplier, node or "")
        self._workers.append(worker)
        return worker

    @override
    def running(self) -> int:
        alone = sum(bool(worker.tasks) and worker.start is None for worker in self._workers)
        return alone + sum(gang.has_begun for gang in self._gangs)

    @override
    def wait(self, timeout: float) -> list[Outcome]:
        deadline = time.monotonic() + timeout
        while True:
            if time.monotonic() >= self._check_at:
                self._check()
            outcomes, self._ended = self._ended, []
            due = min((gang.due for gang in self._gangs), default=deadline)
            left = max(0.0, min(deadline, due, self._check_at) - time.monotonic())
            slots = len(self.process_ids())
            outcomes += self._arrived(0.0 if outcomes else left)
            if outcomes or len(self.process_ids()) > slots or time.monotonic() >= deadline:
                return outcomes

    def _arrived(self, timeout: float) -> list[Outcome]:
        """The outcomes that are there, or the first of them; also notes which workers started."""
        waiting: dict[Any, _Worker | Gang]
        waiting = {worker.start: worker for worker in self._workers if worker.start is not None}
        waiting |= {worker.outcomes: worker for worker in self._workers if worker.tasks}
        waiting |= {reference: gang for gang in self._gangs for reference in gang.references()}
        if not waiting:
            time.sleep(timeout)
            return self._outcomes_of_gangs()

        def ready() -> list[Any]:
            if not ray.wait(list(waiting), num_returns=1, timeout=timeout)[0]:
                return []
            # Everything else that is ready by now, too.
            return list(ray.wait(list(waiting), num_returns=len(waiting), timeout=0)[0])

        outcomes: list[Outcome] = []
        for reference in self._ray(ready):
            waited = waiting[reference]
            if isinstance(waited, Gang):
                if unfit := waited.arrived(reference, self._ray.own_node):
                    node, host, problem = unfit
                    self._unfit[node] = host, problem
            elif reference is waited.start:
                self._started(waited)
            elif waited in self._workers:  # else it was unfit, and its task is lost already
                outcomes += self._outcomes(waited)
        return outcomes + self._outcomes_of_gangs()

    def _outcomes_of_gangs(self) -> list[Outcome]:
        """Of those that are over, which end here."""
        outcomes: list[Outcome] = []
        for gang in list(self._gangs):
            if (outcome := gang.outcome()) is not None:
                if not isinstance(outcome, Finished):
                    self._keep(gang.last_report(time.monotonic()))
                self._end_gang(gang)
                outcomes.append(outcome)
        return outcomes

    def _keep(self, report: Report | None) -> None:
        if report is not None:
            self._reports.append(report)

    def _started(self, worker: _Worker) -> None:
        try:
            problem = worker.started(self._ray.own_node)
        except RayError as error:
            if not worker.tasks:  # else it comes out as the outcome of its task
                self._failed_start(worker, reason(error))
            return
        self._failed_starts = 0
        if problem:
            self._unfit[worker.node] = worker.host, problem
            self._ended += self._lost(worker, problem, "worker_lost")

    def _failed_start(self, worker: _Worker, why: str) -> None:
        self._end(worker)
        self._failed_starts += 1
        self._check_at = time.monotonic() + CHECK_SECONDS  # and not at once again
        alive = any(other.start is None for other in self._workers)
        if self._failed_starts >= MOST_FAILED_STARTS and not alive:
            raise self._ray.failure(f"Ray cannot start a worker: {why}")

    def _outcomes(self, worker: _Worker) -> list[Outcome]:
        try:
            outcomes: list[Outcome] = self._ray(lambda: ray.get(worker.outcomes), RayError)
        except RayError as error:
            return self._lost(worker, *worker.loss(error))
        if not all(isinstance(outcome, Finished) for outcome in outcomes):
            # What a run had reported by then is on its way.
            self._keep(worker.read(time.monotonic()))
        worker.tasks = ()
        worker.done()
        # After an error on a GPU, a process may fail whatever it does next, or keep its memory.
        raised = any(isinstance(outcome, Raised) for outcome in outcomes)
        spoilt = raised and self._resources.gpus > 0
        if spoilt or worker.multiplier > 1 or self._larger_worker_starts():
            self._end(worker)
        return outcomes

    def _lost(self, worker: _Worker, why: str, kind: Loss) -> list[Outcome]:
        """Ends the worker; the outcomes of its tasks."""
        self._keep(worker.read(time.monotonic()))
        self._end(worker)
        if len(worker.tasks) > 1:
            return [LostInBundle(task, why) for task in worker.tasks]
        return [Lost(task, why, kind, worker.host, worker.node) for task in worker.tasks]

    def _larger_worker_starts(self) -> bool:
        """Whether something of several slots waits for others to make room on one machine."""
        larger = any(worker.multiplier > 1 and worker.start is not None for worker in self._workers)
        return larger or any(gang.starts and not gang.fits_anywhere for gang in self._gangs)

    def _check(self) -> None:
        """Follow the cluster as machines come and go, and check the running tasks."""
        now = time.monotonic()
        if now - self._checked_at > 5 * CHECK_SECONDS:
            # The driver itself was suspended, or waited for its database.
            for process in (*self._workers, *(p for gang in self._gangs for p in gang.processes)):
                process.was_suspended(now)
        self._checked_at, self._check_at = now, now + CHECK_SECONDS
        self._count_slots()
        if not self._nodes and self._unfit:
            _, problem = next(iter(self._unfit.values()))
            raise ResourceError(problem)
        for worker in list(self._workers):
            if worker.idle and worker.node not in self._nodes:
                self._end(worker)
        for gang in list(self._gangs):
            if gang.has_no_place and not gang.slots.keys() <= self._nodes.keys():
                # Ray would have it wait for another, before smaller ones that have room.
                self._end_gang(gang)
                self._ended.append(Unplaced(gang.task, "a machine that it was to have has gone"))
        of_gangs = sum(gang.task.demand.slots for gang in self._gangs)
        most = min(self._most_slots, sum(self._nodes.values()))
        self._match_slots(min(self._wanted_slots, max(0, most - of_gangs)))
        for worker in list(self._workers):
            if not worker.idle:
                self._check_heartbeat(worker)
        for gang in self._gangs:
            self._keep(gang.check(now, self._most_values(), self._hung_seconds))

    def _count_slots(self) -> list[dict[str, Any]]:
        """Also returns all nodes, as Ray describes them."""
        described: list[dict[str, Any]] = self._ray(ray.nodes)
        alive = {node["NodeID"]: node["Resources"] for node in described if node["Alive"]}
        if self._ray.own_node not in alive:
            raise ResourceError(
                "Ray's process on this machine has ended, perhaps out of memory; finished work is"
                f" kept: {self._ray.advice}"
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
        self._keep(worker.look(now, self._most_values()))
        silent = now - worker.beat_at
        if silent > self._hung_seconds:
            why = f"no heartbeat for {silent:.0f} s"
            if worker.tasks:
                self._ended += self._lost(worker, why, "hung")
            else:
                self._failed_start(worker, f"{why} while it imported what trains")

    def _most_values(self) -> int:
        """That one task may report now: while nobody stores them, the rest waits where it is."""
        tasks = len(self._workers) + len(self._gangs)
        return MOST_VALUES // tasks + 1 if len(self._reports) < 2 * tasks else 0

    def _end(self, worker: _Worker) -> None:
        worker.end()
        self._workers.remove(worker)
        self._check_at = 0.0  # a new worker is to replace it

    def _end_gang(self, gang: Gang) -> None:
        gang.end()
        self._gangs.remove(gang)
        self._check_at = 0.0

    @override
    def notes(self) -> dict[str, str]:
        if not self._nodes:
            return {"the cluster": "no machine has room for a run"}
        overdue = time.monotonic() - LONG_START_SECONDS
        waiting = [w.start is not None and w.asked_for_at < overdue for w in self._workers]
        if waiting and all(waiting):
            return {"the cluster": "no worker has started yet; others may use its CPUs and GPUs"}
        notes = {w.tasks[0].run_id: w.note for w in self._workers if w.tasks and w.note}
        for gang in self._gangs:
            if gang.has_no_place and gang.asked_for_at < overdue:
                needs = f"it needs {gang.task.demand.slots} slots at once"
                notes[gang.task.run_id] = f"{needs}; others may use the cluster's CPUs and GPUs"
            elif gang.note:
                notes[gang.task.run_id] = gang.note
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
        return gpu_models(self._ray(ray.nodes))

    @override
    def ask_to_stop(self) -> None:
        for worker in list(self._workers):
            if worker.tasks and worker.start is not None:
                self._end(worker)  # it waits for resources, and has nothing to store
                self._ended += [Stopped(task, began=False) for task in worker.tasks]
            elif worker.tasks:
                worker.ask_to_stop()
        for gang in list(self._gangs):
            if gang.has_begun:
                gang.ask_to_stop()
            else:
                self._end_gang(gang)
                self._ended.append(Stopped(gang.task, began=False))

    @override
    def kill(self, run_id: str) -> None:
        for worker in list(self._workers):
            if any(task.run_id == run_id for task in worker.tasks):
                self._end(worker)
                others = [task for task in worker.tasks if task.run_id != run_id]
                self._ended += [LostInBundle(task, "another was killed") for task in others]
        for gang in [gang for gang in self._gangs if gang.task.run_id == run_id]:
            self._end_gang(gang)

    def process_ids(self) -> list[int]:
        """Of the workers that have started."""
        alone = [worker.pid for worker in self._workers if worker.start is None]
        return alone + [p.pid for gang in self._gangs for p in gang.processes if p.start is None]

    @override
    def close(self) -> None:
        with signals_deferred():
            with suppress(SweepError):  # what ends the sweep is the first error
                for worker in list(self._workers):
                    self._end(worker)
                for gang in list(self._gangs):
                    self._end_gang(gang)
            self._ray.close()
