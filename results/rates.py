"""How fast a sweep advances, from the times of its attempts.

A sweep is worked on in batches: a driver runs, is stopped, and is started again hours later. The
rate is that of the newest batch alone, so that the pause before it does not count. A batch begins
with an attempt that starts when nothing of the sweep has been going on for IDLE_SECONDS. An
attempt that ended otherwise than done or failed counts as going on only at its start, because its
end may be noted by the next driver, after the pause.

The rate is the number of attempts of the batch that ended a run, done or failed, over the time
from the batch's start to the last of these ends. It is unknown before the first of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

IDLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class AttemptSpan:
    """When an attempt ran, in seconds since the epoch; its state as in the table."""

    state: str
    started_at: float
    finished_at: float | None


def rate_per_hour(spans: Iterable[AttemptSpan]) -> float | None:
    """Runs ended an hour in the newest batch, or None while that is unknown."""
    batch_start = 0.0
    active_until = float("-inf")
    ends: list[float] = []
    for span in sorted(spans, key=lambda span: span.started_at):
        if span.started_at > active_until + IDLE_SECONDS:
            batch_start = span.started_at
            ends = []
        if span.state == "running":
            active_until = float("inf")
        elif span.state in ("done", "failed") and span.finished_at is not None:
            ends.append(span.finished_at)
            active_until = max(active_until, span.finished_at)
        else:
            active_until = max(active_until, span.started_at)
    if not ends or max(ends) <= batch_start:
        return None
    return len(ends) * 3600.0 / (max(ends) - batch_start)


def seconds_left(runs_left: int, rate: float | None) -> float | None:
    """Time until the rest is finished at this rate: 0 when nothing is left."""
    if runs_left == 0:
        return 0.0
    return None if rate is None else runs_left * 3600.0 / rate
