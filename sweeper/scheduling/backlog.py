"""The runs of a sweep that wait for a slot, and the faults that each of them has met."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator

from results.records import PendingRun
from sweeper.spec.fault_policies import Fault

_MOST_AT_ONCE = 64

_SUSPICIOUS = 2
"""Drivers that have ended while they had a run, from which on it comes last."""


class Backlog:
    """Longest first, so that the last slot waits least; among equals in the order of the spec.

    Runs that found too little memory need several slots. They come last, when slots are idle
    anyway: to clear slots for them earlier would leave these empty until the last one is free.
    So do runs during which their driver has ended more than once: they may be why it did.

    Args:
        seconds: what a run is estimated to take.
    """

    def __init__(self, seconds: Callable[[PendingRun], float]) -> None:
        self._seconds = seconds
        self._queue: deque[PendingRun] = deque()
        self._large: deque[PendingRun] = deque()
        self._met: dict[str, Counter[str]] = {}
        self._avoided: dict[str, frozenset[str]] = {}
        self._suspects: set[str] = set()

    def __len__(self) -> int:
        return len(self._queue) + len(self._large)

    def __iter__(self) -> Iterator[PendingRun]:
        yield from self._queue
        yield from self._large

    def add(self, pending: Iterable[PendingRun]) -> None:
        """Runs as the database has them, with the faults that it counts."""

        def order(run: PendingRun) -> tuple[bool, float]:
            return run.faults.get("driver_lost", 0) >= _SUSPICIOUS, -self._seconds(run)

        for run in sorted(pending, key=order):
            # Faults of training do not count against evaluating the stored weights.
            self._met[run.run_id] = Counter(run.faults if run.state == "queued" else {})
            self._put(run, first=False)

    def met(self, run: PendingRun, fault: Fault, node: str) -> int:
        """Notes a fault of a run, and the node to avoid from now on, if any; how often it was."""
        if node:
            self._avoided[run.run_id] = self.avoided(run) | {node}
        self._met[run.run_id][fault] += 1
        return self._met[run.run_id][fault]

    def put_back(self, run: PendingRun, *, alone: bool = False) -> None:
        """Queue a run again, before the others unless it needs several slots.

        `alone`: in no bundle, since it may be the run that ended a worker with several.
        """
        if alone:
            self._suspects.add(run.run_id)
        self._put(run, first=True)

    def avoided(self, run: PendingRun) -> frozenset[str]:
        """Nodes where the run was lost."""
        return self._avoided.get(run.run_id, frozenset())

    def take(self, has_room: Callable[[int], bool], largest: int) -> tuple[PendingRun, int] | None:
        """The next run for which there is room, and its resource multiplier."""
        if self._queue:
            return (self._queue.popleft(), 1) if has_room(1) else None
        if self._large:
            multiplier = min(2 ** self._met[self._large[0].run_id]["out_of_memory"], largest)
            if has_room(multiplier):
                return self._large.popleft(), multiplier
        return None

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
        most = min(_MOST_AT_ONCE, (len(self._queue) + 1) // (2 * slots))
        while self._queue and len(taken) < most and not self._is_risky(self._queue[0]):
            left -= self._seconds(self._queue[0])
            if left < 0:
                break
            taken.append(self._queue.popleft())
        return taken

    def _is_risky(self, run: PendingRun) -> bool:
        return run.run_id in self._suspects or self._met[run.run_id].total() > 0

    def _put(self, run: PendingRun, *, first: bool) -> None:
        if self._met[run.run_id]["out_of_memory"]:
            self._large.append(run)
        elif first:
            self._queue.appendleft(run)
        else:
            self._queue.append(run)
