"""Which run comes next."""

from __future__ import annotations

import pytest

from results.records import PendingRun
from simulated_cluster import SimulatedCluster, pending
from sweeper.executors import Executor
from sweeper.executors.placement import Demand
from sweeper.scheduling.backfilling import Reservation
from sweeper.scheduling.backlog import Backlog

SECONDS = {"short": 1.0, "long": 9.0, "longer": 10.0}


def without_reservations(demand: Demand, executor: Executor) -> Reservation:
    raise AssertionError("there is room")


def order(*runs: PendingRun) -> list[str]:
    backlog = Backlog(lambda run: SECONDS[run.run_id], without_reservations)
    backlog.add(runs)
    return [run.run_id for run in backlog]


def test_the_longest_comes_first() -> None:
    assert order(pending("short"), pending("longer"), pending("long")) == [
        "longer",
        "long",
        "short",
    ]


def test_a_run_during_which_drivers_have_ended_twice_comes_last() -> None:
    once = pending("longer", driver_lost=1, stopped=3)
    assert order(pending("short"), once, pending("long")) == ["longer", "long", "short"]
    twice = pending("longer", driver_lost=2)
    assert order(pending("short"), twice, pending("long")) == ["long", "short", "longer"]


@pytest.mark.parametrize(("slots", "most"), [(1, 20), (4, 5), (30, 0)])
def test_a_slot_takes_along_no_more_than_half_of_its_share(slots: int, most: int) -> None:
    backlog = Backlog(lambda run: 0.001, without_reservations)
    backlog.add([pending(f"run {number}") for number in range(40)])
    taken = backlog.take(SimulatedCluster([slots]))
    assert taken is not None
    assert len(backlog.take_along(taken[0], 10.0, slots)) == most
