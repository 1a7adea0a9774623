"""What becomes of a run whose processes end in different ways, without Ray."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import RayError

from sweeper.executors import ExecutorOptions, ray_gang
from sweeper.executors.ray import RayExecutor
from sweeper.executors.ray_gang import Gang
from sweeper.executors.tasks import (
    Finished,
    Loss,
    Lost,
    MachineFault,
    Outcome,
    Raised,
    Stopped,
    Task,
    Unplaced,
)
from sweeper.spec.resources import Resources
from trainers.config.job import Member

TASK = Task("0" * 16, 1, {}, (), "/storage", Path("/data"), "cpu", 1, processes=2, multiplier=2)

REPORT = {"run_id": TASK.run_id, "attempt": 1, "first": 1, "epochs": []}


class Reference:
    """What Ray would give for it, or raise."""

    def __init__(self, value: Any = None) -> None:
        self.value = value

    def get(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


class Process:
    """In place of an actor."""

    def __init__(self, call: Any, preparation: Any, options: dict[str, Any]) -> None:
        self.options = options
        self.start: Reference | None = Reference("")
        self.asked_for_at = self.beat_at = self.answered_at = time.monotonic()
        self.node, self.host, self.note = "", "", ""
        self.outcomes: Reference | None = None
        self.tasks: list[Task] = []
        self.asked_for: list[int] = []
        self.ended = self.asked_to_stop = False
        self.has_answered = False

    def started(self, own_node: str) -> str:
        assert self.start is not None
        problem: str = self.start.get()
        self.node, self.host = "node of it", "host of it"
        if not problem:
            self.start = None
        return problem

    def listen(self) -> Reference:
        return Reference("10.0.0.1:1234")

    def execute(self, tasks: list[Task]) -> None:
        self.tasks, self.outcomes = tasks, Reference()

    def done(self) -> None:
        self.outcomes = None

    def was_suspended(self, now: float) -> None:
        self.beat_at = self.answered_at = now

    def look(self, now: float, most: int) -> Any:
        if self.start is not None and not self.has_answered:
            self.was_suspended(now)  # it waits for resources
        self.asked_for.append(most)
        return REPORT if most else None

    def loss(self, error: RayError) -> tuple[str, Loss]:
        return str(error), "worker_lost"

    def ask_to_stop(self) -> None:
        self.asked_to_stop = True

    def end(self) -> None:
        self.ended = True


class Session:
    """In place of that of a driver on the node "a"."""

    own_node = "a"

    def __call__(self, work: Callable[[], Any], *expected: type[Exception]) -> Any:
        return work()


@pytest.fixture(autouse=True)
def removed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The placement groups that are given back."""
    given_back: list[Any] = []
    monkeypatch.setattr(ray_gang, "RayProcess", Process)
    monkeypatch.setattr(ray_gang, "_placement_group", lambda *_: "the group")
    monkeypatch.setattr(ray_gang, "remove_placement_group", given_back.append)
    monkeypatch.setattr(ray_gang, "PlacementGroupSchedulingStrategy", lambda *at: at)
    monkeypatch.setattr(ray_gang, "ray", SimpleNamespace(get=lambda reference: reference.get()))
    return given_back


def new_gang(task: Task = TASK, spread: int | None = None) -> Any:
    place = {"num_cpus": 1.0, "num_gpus": 0.0}
    return Gang(lambda work, *expected: work(), task, None, {"planned": 4}, place, spread, ())


def running_gang(task: Task = TASK) -> Any:
    gang = new_gang(task)
    while not gang.has_begun:
        for reference in gang.references():
            assert gang.arrived(reference, "") is None
    return gang


def end(gang: Any, rank: int, outcome: Outcome | Exception) -> None:
    """One of its processes ends so."""
    reference = gang.processes[rank].outcomes
    reference.value = outcome if isinstance(outcome, Exception) else [outcome]
    assert reference in gang.references()
    gang.arrived(reference, "")


def raised(**more: Any) -> Raised:
    return Raised(replace(TASK, member=Member(1, 2, "there")), "an error", "its traceback", **more)


def test_no_process_begins_before_all_of_them_have_a_place_and_an_address() -> None:
    gang = new_gang()
    assert gang.slots == {"planned": 4}
    first, second = gang.references()
    gang.arrived(second, "")
    assert gang.starts
    gang.arrived(first, "")
    assert gang.slots == {"node of it": 4}
    assert not gang.has_begun
    (address,) = gang.references()
    gang.arrived(address, "")
    assert gang.has_begun
    members = [[task.member for task in process.tasks] for process in gang.processes]
    assert members == [[Member(0, 2, "10.0.0.1:1234")], [Member(1, 2, "10.0.0.1:1234")]]


@pytest.mark.parametrize(
    ("processes", "spread", "bundles"),
    [(4, None, [0, 1, 2, 3]), (5, 2, [0, 0, 0, 1, 1]), (2, 8, [0, 1]), (3, 1, [0, 0, 0])],
)
def test_ranks_beside_one_another_are_on_one_node(
    processes: int, spread: int | None, bundles: list[int]
) -> None:
    gang = new_gang(replace(TASK, processes=processes), spread)
    strategies = [process.options["scheduling_strategy"] for process in gang.processes]
    assert strategies == [("the group", bundle) for bundle in bundles]


@pytest.mark.parametrize("rank", [0, 1])
def test_one_that_cannot_start_ends_the_others_at_once(rank: int, removed: list[Any]) -> None:
    gang = new_gang()
    gang.processes[rank].start = Reference(RayError("no such node"))
    assert gang.arrived(gang.processes[rank].start, "") is None
    said = f"rank {rank} of 2: no such node"
    assert gang.outcome() == Lost(TASK, said, "worker_lost")
    gang.end()
    assert all(process.ended for process in gang.processes)
    assert removed == ["the group"]


def test_a_machine_on_which_nothing_can_train_is_told() -> None:
    gang = new_gang()
    reference = gang.processes[1].start = Reference("numpy is older")
    assert gang.arrived(reference, "") == ("node of it", "host of it", "numpy is older")
    assert gang.outcome().reason == "rank 1 of 2: numpy is older"


def test_an_address_that_cannot_be_had_is_a_loss() -> None:
    gang = new_gang()
    for reference in gang.references():
        gang.arrived(reference, "")
    (address,) = gang.references()
    address.value = RayError("no port")
    gang.arrived(address, "")
    assert gang.outcome().reason == "rank 0 of 2: no port"
    assert not gang.has_begun


def test_a_run_is_done_when_all_its_processes_are() -> None:
    gang = running_gang()
    end(gang, 1, Finished(TASK, None))
    assert gang.outcome() is None
    assert gang.due == float("inf"), "rank 0 may take as long as it likes to store the result"
    end(gang, 0, Finished(TASK, "the result"))
    assert gang.outcome() == Finished(TASK, "the result")


def test_a_process_that_does_not_end_keeps_no_result() -> None:
    gang = running_gang()
    end(gang, 0, Finished(TASK, "the result"))
    assert gang.outcome() is None
    assert gang.due < time.monotonic() + ray_gang.END_SECONDS
    gang.due = 0.0
    assert gang.outcome() == Finished(TASK, "the result")


CAUSES: list[tuple[Outcome | Exception, Any]] = [
    (RayError("killed"), ("worker_lost", "rank 1 of 2: killed")),
    (raised(), ("trainer_error", "rank 1 of 2: an error")),
    (raised(kind="out_of_memory"), ("out_of_memory", "rank 1 of 2: an error")),
]


@pytest.mark.parametrize("rank_0_first", [True, False])
@pytest.mark.parametrize(("cause", "expected"), CAUSES)
def test_the_cause_counts_and_not_what_it_led_to(
    cause: Outcome | Exception, expected: tuple[str, str], rank_0_first: bool
) -> None:
    gang = running_gang()
    if rank_0_first:
        end(gang, 0, raised(lost_peer=True))
        assert gang.outcome() is None
        assert gang.due < time.monotonic() + ray_gang.CAUSE_SECONDS
    end(gang, 1, cause)
    ended = gang.outcome()
    assert (ended.kind, ended.reason) == expected
    assert ended.task == TASK


def test_a_machine_without_the_dataset_is_the_fault_of_the_machine() -> None:
    gang = running_gang()
    end(gang, 1, MachineFault(TASK, "it is not here", "dataset_missing"))
    expected = MachineFault(TASK, "rank 1 of 2: it is not here", "dataset_missing")
    assert gang.outcome() == expected


@pytest.mark.parametrize("both", [True, False])
def test_a_lost_peer_of_which_nothing_else_is_known_is_a_loss(both: bool) -> None:
    gang = running_gang()
    end(gang, 0, raised(lost_peer=True))
    if both:
        end(gang, 1, raised(lost_peer=True))
    else:
        gang.due = 0.0
    said = "rank 0 of 2: an error"
    assert gang.outcome() == Lost(TASK, said, "worker_lost", "host of it", "node of it")


def test_all_processes_are_asked_to_stop_and_rank_0_says_whether_they_did() -> None:
    gang = running_gang()
    gang.ask_to_stop()
    assert all(process.asked_to_stop for process in gang.processes)
    end(gang, 1, Stopped(TASK))
    assert gang.outcome() is None
    end(gang, 0, Stopped(TASK))
    assert gang.outcome() == Stopped(TASK)


@pytest.mark.parametrize("began", [True, False])
def test_one_that_stops_before_it_has_met_the_others_is_not_waited_for_by_them(began: bool) -> None:
    """As where it waits for storage."""
    gang = running_gang()
    end(gang, 1, Stopped(TASK, began=began))
    assert gang.outcome() is None
    assert gang.due <= time.monotonic() + ray_gang.END_SECONDS
    gang.due = 0.0
    assert gang.outcome() == Stopped(TASK, began=began)


def test_a_run_hangs_when_none_of_its_processes_makes_progress() -> None:
    gang = running_gang()
    now = gang.processes[0].beat_at + 100.0
    gang.processes[1].beat_at = now - 5  # as that of one that waits for storage
    assert gang.check(now, 7, 10.0) == REPORT
    assert [process.asked_for for process in gang.processes] == [[7], [0]]
    assert gang.outcome() is None
    gang.processes[0].answered_at = gang.processes[1].answered_at = now + 20
    gang.check(now + 20, 7, 10.0)
    assert gang.outcome().kind == "hung"
    expected = "rank 0 of 2: none of its processes had a heartbeat for 25 s"
    assert gang.outcome().reason == expected


def test_of_a_run_that_hangs_the_process_that_does_not_answer_is_named() -> None:
    gang = running_gang()
    now = gang.processes[0].beat_at + 100.0
    gang.processes[0].answered_at = now  # it waits for the other one, and says so
    gang.check(now, 0, 10.0)
    expected = "rank 1 of 2: no heartbeat for 100 s, and its process does not answer"
    assert gang.outcome().reason == expected


def test_until_all_have_answered_it_may_have_no_place() -> None:
    gang = new_gang()
    first, second = gang.processes
    first.has_answered = True
    assert gang.has_no_place
    assert gang.asked_for_at == first.asked_for_at
    second.has_answered = True
    assert not gang.has_no_place


@pytest.mark.parametrize("has_place", [True, False])
def test_a_run_whose_machine_goes_before_it_has_a_place_comes_back(
    has_place: bool, monkeypatch: pytest.MonkeyPatch, removed: list[Any]
) -> None:
    """Else it would keep slots from smaller runs until another machine comes."""
    resources = {"CPU": 1.0}
    nodes = [{"NodeID": name, "Alive": True, "Resources": resources} for name in ("a", "b")]
    in_place_of_ray = SimpleNamespace(nodes=lambda: nodes, wait=lambda *_, **__: ([], []))
    monkeypatch.setattr("sweeper.executors.ray.ray", in_place_of_ray)
    executor = RayExecutor(ExecutorOptions(Resources(cpus=1)))
    executor._ray = Session()  # type: ignore[assignment]
    executor.limit(0)
    executor.require(2)
    task = replace(TASK, multiplier=1)
    executor.submit([task])
    (gang,) = executor._gangs
    for process in gang.processes:
        process.has_answered = has_place  # type: ignore[misc]
    assert executor.wait(0) == []
    nodes[1]["Alive"] = False
    executor._check_at = 0.0
    if has_place:
        assert executor.wait(0) == [], "Ray says what became of its processes"
        return
    assert executor.wait(0) == [Unplaced(task, "a machine that it was to have has gone")]
    assert removed == ["the group"]
    assert executor.room().free == {"a": 1}


def test_processes_that_wait_for_the_others_to_start_do_not_hang() -> None:
    gang = new_gang()
    gang.arrived(gang.processes[0].start, "")
    gang.check(time.monotonic() + 1000.0, 0, 10.0)
    assert gang.outcome() is None


def test_a_start_that_takes_long_is_no_run_that_hangs() -> None:
    gang = new_gang()
    began = gang.processes[0].beat_at
    gang.processes[0].has_answered = gang.processes[1].has_answered = True
    gang.check(began + 100.0, 0, 10.0)
    assert gang.outcome() is None
    gang.check(began + ray_gang.START_SECONDS + 1.0, 0, 10.0)
    assert gang.outcome().kind == "hung"


@pytest.mark.parametrize("started", [0, 1])
def test_one_that_hangs_as_it_starts_is_not_waited_for_by_one_that_has(started: int) -> None:
    gang = new_gang()
    gang.arrived(gang.processes[started].start, "")
    gang.processes[1 - started].has_answered = True
    now = gang.processes[1 - started].beat_at + ray_gang.START_SECONDS + 1.0
    gang.check(now, 0, 10.0)
    expected = f"rank {1 - started} of 2: no heartbeat for 601 s while its processes are being"
    assert gang.outcome().reason == f"{expected} started, and its process does not answer"


def test_one_that_hangs_as_it_opens_the_address_is_not_waited_for() -> None:
    gang = new_gang()
    for reference in gang.references():
        gang.arrived(reference, "")
    now = gang.processes[0].beat_at
    gang.check(now + ray_gang.START_SECONDS + 1.0, 0, 10.0)
    assert gang.outcome().kind == "hung"
    assert "rank 0 of 2: no heartbeat for 601 s while rank 0 opens" in gang.outcome().reason
