"""When what waits for several slots will have them, and what may start on them until then.

EASY backfilling (Lifka 1995, "The ANL/IBM SP scheduling system"): the first task for which there is
no room gets a reservation, at the time at which those that run are expected to have ended. Another
one may start before it if it is expected to be over by then, or leaves enough. Nothing that starts
later can therefore postpone the reservation by more than the time by which it was underestimated:
what has run for longer than expected counts as about to end, after which nothing else begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sweeper.executors.placement import Demand, Room


@dataclass(frozen=True)
class Reservation:
    """Places that will be free for the first task of the backlog.

    Attributes:
        demand: of that task.
        seconds: from now; infinite if there will be none with what the cluster has now.
        now: what is free now.
        then: what will be free then.
    """

    demand: Demand
    seconds: float
    now: Room
    then: Room

    def seconds_for(self, other: Demand) -> float:
        """How long another task may take, if it starts now; negative: there is no room for it."""
        # Nodes with equally much room at that time are alike.
        ways = {tuple(self.then.free[n] for n in way): way for way in self.now.ways(other)}
        if not ways:
            return -1.0
        after = (self.then.with_less(way) for way in ways.values())
        # Wherever it starts: the executor, and not this, chooses the node.
        if all(room.places(self.demand) is not None for room in after):
            return float("inf")
        return self.seconds


def reserve(
    demand: Demand, now: Room, held: Mapping[str, Mapping[str, int]], seconds: Mapping[str, float]
) -> Reservation:
    """The earliest reservation for what needs so much.

    Args:
        now: what is free now.
        held: slots by node of each running task, by its run.
        seconds: that each of them is still expected to take; 0 for one that is overdue.
    """
    then = now
    for run_id in sorted(held, key=lambda run_id: seconds.get(run_id, 0.0)):
        then = then.with_more(held[run_id])
        # One after the other, so that of two that end together only what is needed is waited for.
        if then.places(demand) is not None:
            return Reservation(demand, max(0.0, seconds.get(run_id, 0.0)), now, then)
    return Reservation(demand, float("inf"), now, then)
