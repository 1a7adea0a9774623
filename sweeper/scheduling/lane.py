"""Runs of the backlog that need equally many slots, in the order in which they start."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from results.records import PendingRun


class Lane:
    """Longest first, so that the last slot waits least; among equals in the order of the spec.

    Before them those that are tried again, and after them those that may end their driver.

    Args:
        seconds: what a run is estimated to take.
    """

    def __init__(self, seconds: Callable[[PendingRun], float]) -> None:
        self._seconds = seconds
        self._again: deque[PendingRun] = deque()
        self._queue: list[PendingRun] = []  # the next one is the last
        self._suspects: deque[PendingRun] = deque()

    def __len__(self) -> int:
        return len(self._again) + len(self._queue) + len(self._suspects)

    def __iter__(self) -> Iterator[PendingRun]:
        yield from self._again
        yield from reversed(self._queue)
        yield from self._suspects

    @property
    def first(self) -> PendingRun:
        """The next one, which stays."""
        if self._again:
            return self._again[0]
        return self._queue[-1] if self._queue else self._suspects[0]

    @property
    def order(self) -> tuple[int, float]:
        """Of the first one, among those of all lanes."""
        rank = 0 if self._again else 1 if self._queue else 2
        return rank, -self._seconds(self.first)

    def add(self, runs: Iterable[PendingRun], *, suspect: bool = False) -> None:
        """Runs that have not been here."""
        if suspect:
            self._suspects = deque(
                sorted([*self._suspects, *runs], key=self._seconds, reverse=True)
            )
        else:
            # Sorting keeps equals in order, of which the first one has to be the last.
            added = list(runs)[::-1]
            self._queue = sorted([*added, *self._queue], key=self._seconds)

    def put_back(self, run: PendingRun) -> None:
        """Before all others."""
        self._again.appendleft(run)

    def take(self) -> PendingRun:
        """The first one."""
        if self._again:
            return self._again.popleft()
        return self._queue.pop() if self._queue else self._suspects.popleft()

    def take_within(self, seconds: float) -> PendingRun | None:
        """The first one that is estimated to take no longer; None if there is none."""
        if (run := self._of_few(self._again, seconds)) is not None:
            return run
        if count := bisect_right(self._queue, seconds, key=self._seconds):
            return self._queue.pop(count - 1)
        return self._of_few(self._suspects, seconds)

    def _of_few(self, runs: deque[PendingRun], seconds: float) -> PendingRun | None:
        for run in runs:
            if self._seconds(run) <= seconds:
                runs.remove(run)
                return run
        return None
