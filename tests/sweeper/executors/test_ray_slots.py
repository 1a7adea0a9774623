"""What is said of runs for which there is never room."""

from __future__ import annotations

from typing import Any

import pytest

from sweeper.errors import ResourceError
from sweeper.executors.placement import Room
from sweeper.executors.ray_slots import require_places, require_room
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
