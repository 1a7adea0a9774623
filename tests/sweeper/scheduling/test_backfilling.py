"""Small runs beside large ones, of which none waits for ever, by a simulated clock."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulated_cluster import Simulated, SimulatedCluster, Simulation, pending, simulate
from sweeper.executors.placement import Demand, Room
from sweeper.scheduling.backfilling import reserve
from sweeper.scheduling.backlog import Backlog, processes_of

SECONDS = st.integers(1, 100).map(float)
NODES = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@st.composite
def any_runs(draw: st.DrawFn, exact: bool = False) -> tuple[list[Simulated], SimulatedCluster]:
    """Runs of which each has room on the nodes; `exact`: they take what is estimated."""
    nodes = draw(NODES)
    cluster = SimulatedCluster(nodes, draw(st.none() | st.integers(1, len(nodes))))
    one = st.builds(
        lambda processes, estimated, seconds, multiplier: Simulated(
            processes, estimated, estimated if exact else seconds, multiplier
        ),
        st.integers(1, sum(nodes)),
        SECONDS,
        SECONDS,
        st.integers(1, max(nodes)),
    ).filter(lambda run: cluster.whole.places(run.demand) is not None)
    return draw(st.lists(one, min_size=1, max_size=25)), cluster


@given(any_runs())
def test_every_run_starts_and_has_all_its_places_at_once(
    drawn: tuple[list[Simulated], SimulatedCluster],
) -> None:
    runs, cluster = drawn
    done = simulate(runs, cluster)  # which checks that no slot has two
    assert len(done.started) == len(runs)
    for number, run in enumerate(runs):
        assert sum(done.started[str(number)].slots.values()) == run.demand.slots


@given(any_runs(exact=True))
def test_a_run_starts_no_later_than_it_was_promised(
    drawn: tuple[list[Simulated], SimulatedCluster],
) -> None:
    runs, cluster = drawn
    done = simulate(runs, cluster)
    for run_id, times in done.reserved.items():
        assert done.started[run_id].at <= min(times)


@given(any_runs())
def test_a_wrong_estimate_postpones_a_promise_by_one_run_at_most(
    drawn: tuple[list[Simulated], SimulatedCluster],
) -> None:
    runs, cluster = drawn
    done = simulate(runs, cluster)
    longest = max(run.seconds for run in runs)
    for run_id, times in done.reserved.items():
        assert done.started[run_id].at <= times[0] + longest


def started(done: Simulation) -> list[float]:
    return [done.started[str(number)].at for number in range(len(done.started))]


def test_small_runs_fill_what_a_large_one_leaves_until_it_starts() -> None:
    long = Simulated(1, 100, 100)
    large = Simulated(4, 50, 50)
    small = [Simulated(1, 10, 10) for _ in range(30)]
    done = simulate([long, large, *small], SimulatedCluster([2, 2]))
    assert started(done)[:2] == [0, 100]
    # Three at a time, ten times, and none is left when the large one begins.
    assert max(started(done)[2:]) == 90
    assert done.end == 150


def test_a_run_that_would_be_in_the_way_waits() -> None:
    long, large = Simulated(1, 100, 100), Simulated(4, 99, 99)
    in_the_way, in_time = Simulated(1, 98, 98), Simulated(1, 20, 20)
    done = simulate([long, large, *[in_the_way] * 4, *[in_time] * 2], SimulatedCluster([4]))
    # 98 s and 20 s have more than 100 s together.
    assert started(done) == [0, 100, 0, 0, 0, 199, 199, 199]


def test_what_leaves_enough_for_the_large_one_may_take_as_long_as_it_likes() -> None:
    first, large, longer = Simulated(3, 50, 50), Simulated(3, 40, 40), Simulated(1, 30, 300)
    done = simulate([first, large, longer], SimulatedCluster([4]))
    assert started(done) == [0, 50, 0]


def test_while_a_run_takes_longer_than_was_thought_nothing_else_starts() -> None:
    underestimated = Simulated(1, 60, 500)
    large, small = Simulated(2, 50, 50), Simulated(1, 40, 40)
    done = simulate([underestimated, large, small, small], SimulatedCluster([2]))
    assert started(done) == [0, 500, 0, 550]


def test_a_run_of_one_process_is_not_in_the_way_on_whichever_node_it_starts() -> None:
    now = Room({"a": 1, "b": 1})
    held = {"soon": {"b": 1}, "late": {"a": 1}}
    reservation = reserve(Demand(multiplier=2), now, held, {"soon": 50.0, "late": 100.0})
    assert reservation.seconds == 50
    # On "a" it would leave enough, and on "b" it would not.
    assert reservation.seconds_for(Demand()) == 50


def test_of_equal_runs_the_widest_comes_first() -> None:
    runs = [Simulated(1, 1, 1), Simulated(4, 1, 1), Simulated(2, 1, 1)]
    assert started(simulate(runs, SimulatedCluster([4]))) == [1, 0, 1]


def test_a_large_run_that_has_no_room_on_the_cluster_keeps_none_from_running() -> None:
    cluster = SimulatedCluster([2])
    reservation = reserve(Demand(3), cluster.room(), {}, {})
    assert reservation.seconds == math.inf
    assert reservation.seconds_for(Demand(2)) == math.inf
    assert reservation.seconds_for(Demand(3)) < 0


def test_runs_that_found_no_memory_are_reserved_larger_slots_after_the_others() -> None:
    cluster = SimulatedCluster([4])
    backlog = Backlog(
        lambda run: 10.0, lambda demand, there: reserve(demand, there.room(), there.held(), {})
    )
    backlog.add([pending("gang", 2, out_of_memory=1), pending("one"), pending("alone", 4)])
    taken = []
    while found := backlog.take(cluster):
        run, multiplier = found
        taken.append((run.run_id, multiplier))
        cluster.begin(run.run_id, Demand(processes_of(run), multiplier))
    assert taken == [("alone", 1)]
    cluster.begun.clear()
    assert [backlog.take(cluster), backlog.take(cluster)] == [
        (pending("one"), 1),
        (pending("gang", 2, out_of_memory=1), 2),
    ]


@pytest.mark.parametrize(
    ("free", "spread", "demand", "places"),
    [
        ([4, 2, 8], None, Demand(8), [0, 0, 8]),
        ([4, 2, 8], None, Demand(10), [0, 2, 8]),
        ([4, 2, 8], None, Demand(2), [0, 2, 0]),
        ([4, 2, 8], None, Demand(14), [4, 2, 8]),
        ([4, 2, 8], None, Demand(15), None),
        ([3, 3], None, Demand(2, 2), [2, 2]),
        ([3, 3], None, Demand(3, 2), None),
        ([4, 2, 8], 2, Demand(8), [4, 0, 4]),
        ([4, 2, 8], 3, Demand(5), [2, 1, 2]),
        ([4, 2, 8], 3, Demand(2), [1, 0, 1]),
        ([4, 2, 8], 4, Demand(4), None),
        ([8, 1], 2, Demand(4), None),
    ],
)
def test_processes_are_packed_or_spread_over_nodes(
    free: list[int], spread: int | None, demand: Demand, places: list[int] | None
) -> None:
    names = [f"node {number}" for number in range(len(free))]
    found = Room(dict(zip(names, free, strict=True)), spread=spread).places(demand)
    if places is None:
        assert found is None
    else:
        assert found is not None
        assert [found.get(name, 0) for name in names] == places


def test_no_more_slots_are_given_than_were_allowed() -> None:
    room = Room({"a": 8}, most=3)
    assert room.places(Demand(3)) == {"a": 3}
    assert room.places(Demand(4)) is None
    assert room.with_less({"a": 2}).places(Demand(2)) is None
    assert room.with_less({"a": 2}).with_more({"a": 2}) == room
