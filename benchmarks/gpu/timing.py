"""Images a second of something that steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """What was trained from when to when, in seconds of a clock that all processes share."""

    images: int
    started: float
    finished: float

    @property
    def images_per_second(self) -> float:
        return self.images / (self.finished - self.started)


def measure(
    step: Callable[[], int],
    seconds: float,
    synchronize: Callable[[], None],
    *,
    warm_up: int = 3,
    begin: Callable[[], None] | None = None,
) -> Interval:
    """Step for at least `seconds` after `warm_up` steps; all that was queued has been done.

    The host waits for the device after the first step, to see how long one takes, and where the
    end is expected from that.

    Args:
        step: queues one step; how many images it trains.
        begin: called when the warm-up is done, before the clock starts.
    """
    for _ in range(warm_up):
        step()
    synchronize()
    if begin is not None:
        begin()
    # Linux has one such clock for all processes.
    started = time.perf_counter()
    images, steps, more = 0, 0, 1
    while True:
        for _ in range(more):
            images += step()
        steps += more
        synchronize()
        finished = time.perf_counter()
        elapsed = finished - started
        if elapsed >= seconds:
            return Interval(images, started, finished)
        more = max(1, math.ceil((seconds - elapsed) / (elapsed / steps)))


def images_per_second_together(intervals: Sequence[Interval]) -> float:
    """Of processes side by side: all images, from the first start to the last end."""
    started = min(interval.started for interval in intervals)
    finished = max(interval.finished for interval in intervals)
    return sum(interval.images for interval in intervals) / (finished - started)
