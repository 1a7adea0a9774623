"""Runs that take time of a simulated clock on the slots of simulated nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from executor_with_room import ExecutorWithRoom
from results.records import PendingRun
from sweeper.executors.base import Executor
from sweeper.executors.placement import Demand, Room
from sweeper.scheduling.backfilling import Reservation, reserve
from sweeper.scheduling.backlog import Backlog, processes_of


def pending(run_id: str, processes: int = 1, **faults: int) -> PendingRun:
    """A queued run, of which nothing else is known."""
    values: dict[str, Any] = dict.fromkeys((field.name for field in fields(PendingRun)), None)
    config = {"training": {"data_parallel": processes}} if processes > 1 else {}
    given = {"run_id": run_id, "state": "queued", "config": config, "faults": faults}
    return PendingRun(**values | given)


@dataclass(frozen=True)
class Simulated:
    """A run that takes `seconds`, and of which `estimated` is known before."""

    processes: int
    estimated: float
    seconds: float
    multiplier: int = 1

    @property
    def demand(self) -> Demand:
        """What it needs at once."""
        return Demand(self.processes, self.multiplier)


@dataclass
class Started:
    """When a run began and ends, and on which slots."""

    at: float
    end: float
    slots: dict[str, int]


class SimulatedCluster(ExecutorWithRoom):
    """Nothing but the room that it has."""

    def __init__(self, nodes: Sequence[int], spread: int | None = None) -> None:
        super().__init__(Room({f"node {n}": slots for n, slots in enumerate(nodes)}, spread=spread))
        self.begun: dict[str, dict[str, int]] = {}

    def held(self) -> dict[str, dict[str, int]]:
        return dict(self.begun)

    def begin(self, run_id: str, demand: Demand) -> dict[str, int]:
        room = self.room()
        slots = room.places(demand)
        assert slots is not None
        assert sum(slots.values()) == demand.slots
        if demand.processes == 1:  # where most is free, as on Ray
            slots = {max(room.free, key=room.free.__getitem__): demand.slots}
        self.begun[run_id] = slots
        return slots


@dataclass
class Simulation:
    """Of all runs to their ends, as the driver hands them out.

    Attributes:
        started: by run id, which are the runs' numbers.
        reserved: by run id, the time of each reservation that was made for it, in order.
    """

    started: dict[str, Started]
    reserved: dict[str, list[float]]

    @property
    def end(self) -> float:
        """Of the last run."""
        return max(each.end for each in self.started.values())


def simulate(runs: Sequence[Simulated], cluster: SimulatedCluster) -> Simulation:
    """Until the last one has ended; raises AssertionError if one never starts."""
    now = 0.0
    by_id = {str(number): run for number, run in enumerate(runs)}
    done = Simulation({}, {})

    def reserved(demand: Demand, executor: Executor) -> Reservation:
        left = {
            run_id: done.started[run_id].at + by_id[run_id].estimated - now
            for run_id in cluster.begun
        }
        made = reserve(demand, executor.room(), executor.held(), left)
        assert backlog.waiting is not None
        done.reserved.setdefault(backlog.waiting[0].run_id, []).append(now + made.seconds)
        return made

    backlog = Backlog(
        lambda run: by_id[run.run_id].estimated,
        reserved,
        lambda run: by_id[run.run_id].multiplier,
    )
    backlog.add(pending(run_id, run.processes) for run_id, run in by_id.items())
    while backlog or cluster.begun:
        while found := backlog.take(cluster):
            run, multiplier = found
            slots = cluster.begin(run.run_id, Demand(processes_of(run), multiplier))
            end = now + by_id[run.run_id].seconds
            done.started[run.run_id] = Started(now, end, slots)
        assert cluster.begun, "what waits does not start although nothing runs"
        now = min(done.started[run_id].end for run_id in cluster.begun)
        for run_id in [r for r in cluster.begun if done.started[r].end <= now]:
            del cluster.begun[run_id]
    return done
