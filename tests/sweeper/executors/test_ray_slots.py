"""What is said of runs for which there is never room."""

from __future__ import annotations

from typing import Any

import pytest

from sweeper.errors import ResourceError
from sweeper.executors.placement import Room
from sweeper.executors.ray_slots import place_of, require_places, require_room, slots_of_node
from sweeper.planning.slot import Slot
from sweeper.spec.resources import Resources


def node(name: str, **resources: float) -> dict[str, Any]:
    return {"Alive": True, "NodeID": name, "NodeManagerHostname": name, "Resources": resources}


def test_a_run_that_no_machine_has_room_for_is_refused() -> None:
    nodes = [node("a", CPU=2), node("b", CPU=4, GPU=1)]
    require_room(nodes, Resources(cpus=1, gpus=1))
    with pytest.raises(ResourceError, match=r"asks for 1 CPU and 2 GPUs, .* has 4 and 1:"):
        require_room(nodes, Resources(cpus=1, gpus=2))


def test_processes_that_never_have_room_at_once_are_refused_with_what_there_is() -> None:
    nodes = [node("a", CPU=2, GPU=1), node("b", CPU=4)]
    resources = Resources(cpus=1, gpus=0)
    require_places(nodes, Room({"a": 2, "b": 4}), resources, 6)
    with pytest.raises(ResourceError) as met:
        require_places(nodes, Room({"a": 2, "b": 4}, 5), resources, 6)
    assert str(met.value) == (
        "a run with training.data_parallel 6 needs 6 places at once, of 1 CPU each, and Ray has 2"
        " on a, 4 on b, of which --slots allows 5: add machines, change resources in the spec, or"
        " train with fewer processes"
    )
    with pytest.raises(ResourceError, match=r"of 0\.5 CPUs and 1 GPU each"):
        require_places(nodes, Room({"a": 1}), Resources(cpus=0.5, gpus=1), 2)


@pytest.mark.parametrize("gpus", [0.5, 0.4, 0.34, 0.3, 0.25, 0.15])
def test_a_run_that_needs_a_whole_gpu_gets_it_with_the_slots_that_the_plan_says(
    gpus: float,
) -> None:
    resources = Resources(cpus=0.5, gpus=gpus)
    slot = Slot.of(resources)
    all_of_them = slot.largest_multiplier
    assert all_of_them == slots_of_node({"CPU": 8, "GPU": 1}, resources)
    assert place_of(resources, all_of_them) == {"num_cpus": 0.5 * all_of_them, "num_gpus": 1}
    for multiplier in range(1, all_of_them + 1):
        place = place_of(resources, multiplier)
        assert place["num_gpus"] == slot.times(multiplier).devices
    assert place_of(resources, 1)["num_gpus"] == gpus


def test_whole_gpus_and_none_are_what_ray_is_asked_for() -> None:
    assert place_of(Resources(cpus=2, gpus=4), 1) == {"num_cpus": 2, "num_gpus": 4}
    assert place_of(Resources(cpus=2), 3) == {"num_cpus": 6, "num_gpus": 0}
