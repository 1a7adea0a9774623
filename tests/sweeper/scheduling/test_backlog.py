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


def test_runs_that_need_much_memory_begin_with_several_slots_in_their_turn() -> None:
    needed = {"longer": 2, "short": 4}
    backlog = Backlog(
        lambda run: SECONDS[run.run_id],
        without_reservations,
        lambda run: needed.get(run.run_id, 1),
    )
    backlog.add([pending("short"), pending("long"), pending("longer")])
    assert backlog.slots_of_one_process == 4 + 1 + 2
    there = SimulatedCluster([8])
    taken = [backlog.take(there) for _ in range(4)]
    assert [None if each is None else (each[0].run_id, each[1]) for each in taken] == [
        ("longer", 2),
        ("long", 1),
        ("short", 4),
        None,
    ]


def test_no_run_begins_with_more_slots_than_there_can_be() -> None:
    backlog = Backlog(lambda run: 1.0, without_reservations, lambda run: 4)
    backlog.add([pending("short")])
    taken = backlog.take(SimulatedCluster([3]))
    assert taken is not None
    assert taken[1] == 3


def test_a_run_that_found_no_memory_gets_twice_the_slots_that_it_began_with() -> None:
    backlog = Backlog(lambda run: 1.0, without_reservations, lambda run: 2)
    backlog.add([pending("short", out_of_memory=1)])
    taken = backlog.take(SimulatedCluster([8]))
    assert taken is not None
    assert taken[1] == 4


def test_runs_are_sorted_again_when_more_is_known_of_the_device() -> None:
    multiplier = 1
    backlog = Backlog(lambda run: SECONDS[run.run_id], without_reservations, lambda run: multiplier)
    backlog.add([pending("long"), pending("short", out_of_memory=1)])
    multiplier = 2
    backlog.sort_again()
    there = SimulatedCluster([8])
    taken = [backlog.take(there) for _ in range(3)]
    assert [None if each is None else (each[0].run_id, each[1]) for each in taken] == [
        ("long", 2),
        ("short", 4),
        None,
    ]


def test_a_run_behind_others_that_need_as_much_is_not_short_of_room() -> None:
    backlog = Backlog(lambda run: 1.0, without_reservations)
    backlog.add([pending("wide", 2), pending("another", 2)])
    cluster = SimulatedCluster([2])
    assert backlog.short_of_room([]) is None
    taken = backlog.take(cluster)
    assert taken is not None
    cluster.begin(taken[0].run_id, Demand(2))
    assert backlog.take(cluster) is None
    assert backlog.short_of_room([Demand(2)]) is None
    assert backlog.short_of_room([Demand(2), Demand(1)]) == backlog.waiting
    assert backlog.short_of_room([]) == backlog.waiting
