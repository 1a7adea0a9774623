"""The runs of a sweep that wait for slots, and the faults that each of them has met."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator

from results.records import PendingRun, training_processes
from sweeper.executors.base import Executor
from sweeper.executors.placement import ONE_SLOT, Demand
from sweeper.scheduling.backfilling import Reservation
from sweeper.scheduling.lane import Lane
from sweeper.spec.fault_policies import Fault

_MOST_AT_ONCE = 64

_SUSPICIOUS = 2
"""Drivers that have ended while they had a run, from which on it comes last."""


class Backlog:
    """Longest first, so that the last slot waits least; among equals in the order of the spec.

    Where the first one needs several slots and they are not free, others run beside it and before
    it, as far as they do not delay it.

    Runs that found too little memory need several slots for each of their processes, or twice as
    many as they began with. They come last, when slots are idle anyway: to clear slots for them
    earlier would leave these empty until the last one is free. So do runs during which their driver
    has ended more than once: they may be why it did.

    Args:
        seconds: what a run is estimated to take.
        reserve: when what a task needs will be free.
        starting: the resource multiplier that a run begins with.

    Attributes:
        waiting: the first run and what it needs, if that are several slots and there was no room.
    """

    def __init__(
        self,
        seconds: Callable[[PendingRun], float],
        reserve: Callable[[Demand, Executor], Reservation],
        starting: Callable[[PendingRun], int] = lambda run: 1,
    ) -> None:
        self._seconds = seconds
        self._reserve = reserve
        self._starting = starting
        self._lanes: dict[Demand, Lane] = {ONE_SLOT: Lane(seconds)}
        self._large: deque[PendingRun] = deque()
        self._met: dict[str, Counter[str]] = {}
        self._avoided: dict[str, frozenset[str]] = {}
        self._suspects: set[str] = set()
        self.waiting: tuple[PendingRun, Demand] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values())) + len(self._large)

    def __iter__(self) -> Iterator[PendingRun]:
        for lane in self._lanes.values():
            yield from lane
        yield from self._large

    @property
    def widest(self) -> int:
        """The most processes that one of the runs has."""
        return max(map(processes_of, self), default=1)

    @property
    def slots_of_one_process(self) -> int:
        """Of all runs of one process, if they had them at once."""
        demands = [(demand, len(lane)) for demand, lane in self._lanes.items()]
        demands += [(self._demand_of(run), 1) for run in self._large]
        return sum(demand.slots * count for demand, count in demands if demand.processes == 1)

    def add(self, pending: Iterable[PendingRun]) -> None:
        """Runs as the database has them, with the faults that it counts."""
        sorted_out: dict[tuple[Demand, bool], list[PendingRun]] = {}
        for run in pending:
            # Faults of training do not count against evaluating the stored weights.
            self._met[run.run_id] = Counter(run.faults if run.state == "queued" else {})
            if self._met[run.run_id]["out_of_memory"]:
                self._large.append(run)
                continue
            suspect = run.faults.get("driver_lost", 0) >= _SUSPICIOUS
            sorted_out.setdefault((self._demand_of(run), suspect), []).append(run)
        for (demand, suspect), runs in sorted_out.items():
            self._lane(demand).add(runs, suspect=suspect)

    def sort_again(self) -> None:
        """Takes account of what `seconds` and `starting` say now, of runs that nobody has begun."""
        waiting = [run for lane in self._lanes.values() for run in lane]
        self._lanes = {ONE_SLOT: Lane(self._seconds)}
        self.add(waiting)

    def met(self, run: PendingRun, fault: Fault, node: str) -> int:
        """Notes a fault of a run, and the node to avoid from now on, if any; how often it was."""
        if node:
            self._avoided[run.run_id] = self.avoided(run) | {node}
        self._met[run.run_id][fault] += 1
        return self._met[run.run_id][fault]

    def put_back(self, run: PendingRun, *, alone: bool = False) -> None:
        """Queue a run again, before the others unless it needs larger slots.

        `alone`: in no bundle, since it may be the run that ended a worker with several.
        """
        if alone:
            self._suspects.add(run.run_id)
        if self._met[run.run_id]["out_of_memory"]:
            self._large.append(run)
        else:
            self._lane(self._demand_of(run)).put_back(run)

    def avoided(self, run: PendingRun) -> frozenset[str]:
        """Nodes where the run was lost."""
        return self._avoided.get(run.run_id, frozenset())

    def take(self, executor: Executor) -> tuple[PendingRun, int] | None:
        """The next run for which there is room, and its resource multiplier."""
        self.waiting = None
        lanes = [(demand, lane) for demand, lane in self._lanes.items() if lane]
        if lanes:
            wanted, lane = lanes[0] if len(lanes) == 1 else min(lanes, key=_order)
            first = lane.first
            demand = _possible(wanted, executor)
        elif self._large:
            first = self._large[0]
            demand = self._demand_of_large(first, executor)
        else:
            return None
        if executor.has_room(demand):
            return (lane.take() if lanes else self._large.popleft()), demand.multiplier
        if demand.slots == 1:
            return None
        self.waiting = first, demand
        return self._beside(demand, executor)

    def short_of_room(self, running: Collection[Demand]) -> tuple[PendingRun, Demand] | None:
        """What is `waiting`, unless runs that need as much each go before it: that is its turn."""
        if self.waiting is None:
            return None
        _, needed = self.waiting
        in_turn = running and all(demand.slots >= needed.slots for demand in running)
        return None if in_turn else self.waiting

    def _beside(self, demand: Demand, executor: Executor) -> tuple[PendingRun, int] | None:
        """Another run, while the first one waits for what it needs."""
        kept: Reservation | None = None
        for wanted, lane in sorted(self._lanes.items(), key=lambda item: -item[0].slots):
            if lane and executor.has_room(other := _possible(wanted, executor)):
                kept = kept or self._reserve(demand, executor)
                if (run := lane.take_within(kept.seconds_for(other))) is not None:
                    return run, other.multiplier
        for run in self._large:
            other = self._demand_of_large(run, executor)
            if executor.has_room(other):
                kept = kept or self._reserve(demand, executor)
                if self._seconds(run) <= kept.seconds_for(other):
                    self._large.remove(run)
                    return run, other.multiplier
        return None

    def _demand_of_large(self, run: PendingRun, executor: Executor) -> Demand:
        begun = self._demand_of(run)
        more = 2 ** self._met[run.run_id]["out_of_memory"]
        return _possible(Demand(begun.processes, begun.multiplier * more), executor)

    def _demand_of(self, run: PendingRun) -> Demand:
        return Demand(processes_of(run), self._starting(run))

    def take_along(self, run: PendingRun, seconds: float, slots: int) -> list[PendingRun]:
        """Further runs for the same slot, which together with `run` take at most `seconds`.

        None that has met a fault, since the others would be lost with it. And no more than half of
        its share if there are so many `slots`: then others can balance what takes longer than was
        thought (guided self-scheduling, Polychronopoulos and Kuck 1987).
        """
        taken: list[PendingRun] = []
        left = seconds - self._seconds(run)
        if self._is_risky(run):
            return taken
        lane = self._lanes[ONE_SLOT]
        most = min(_MOST_AT_ONCE, (len(lane) + 1) // (2 * slots))
        while lane and len(taken) < most and not self._is_risky(lane.first):
            left -= self._seconds(lane.first)
            if left < 0:
                break
            taken.append(lane.take())
        return taken

    def _is_risky(self, run: PendingRun) -> bool:
        return run.run_id in self._suspects or self._met[run.run_id].total() > 0

    def _lane(self, demand: Demand) -> Lane:
        return self._lanes.setdefault(demand, Lane(self._seconds))


def _order(item: tuple[Demand, Lane]) -> tuple[int, float, int]:
    """Among equals the widest first: the others fit beside it."""
    demand, lane = item
    return *lane.order, -demand.slots


def _possible(wanted: Demand, executor: Executor) -> Demand:
    """As many slots of each process as a device or machine has, at most."""
    if wanted.multiplier == 1:
        return wanted
    largest = executor.largest_multiplier(wanted.processes)
    return Demand(wanted.processes, min(wanted.multiplier, largest))


def processes_of(run: PendingRun) -> int:
    """How many processes it needs at once: one evaluates stored weights, whoever trained them."""
    if run.state != "queued":
        return 1
    return training_processes(run.config)
