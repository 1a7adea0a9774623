"""How many tasks a machine of a Ray cluster has room for."""

from __future__ import annotations

from typing import Any

from sweeper.errors import ResourceError
from sweeper.executors.placement import Demand, Room
from sweeper.spec.resources import Resources, gpus_of_slots, slots_of_gpu

MOST_NODES = 5
"""That a message lists."""

WORKER_BYTES = 512 * 2**20
"""Memory that no worker does without: that of a process with torch and a small network."""


def require_room(nodes: list[dict[str, Any]], resources: Resources) -> None:
    """Raises ResourceError if no node has room for one whole task.

    Args:
        nodes: as returned by `ray.nodes()`.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    if not any(slots_of_node(node, resources) for node in alive):
        cpus = max((node.get("CPU", 0) for node in alive), default=0)
        gpus = max((node.get("GPU", 0) for node in alive), default=0)
        raise ResourceError(
            f"a run asks for {_counted(resources.cpus, 'CPU')} and"
            f" {_counted(resources.gpus, 'GPU')}, and Ray's "
            f"largest machine has {cpus:g} and {gpus:g}: change resources.cpus or resources.gpus "
            "in the spec, or add, for example, --set resources.gpus=0 to train on the CPU"
        )


def _counted(number: float, noun: str) -> str:
    return f"{number:g} {noun}" if number == 1 else f"{number:g} {noun}s"


_GPU_MODEL = "accelerator_type:"


def gpu_models(nodes: list[dict[str, Any]]) -> tuple[str, ...]:
    """Of the nodes that are alive and have GPUs, as Ray names them ("A100", "T4").

    Args:
        nodes: as returned by `ray.nodes()`.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    return tuple(
        sorted(
            {
                key.removeprefix(_GPU_MODEL)
                for resources in alive
                if resources.get("GPU")
                for key in resources
                if key.startswith(_GPU_MODEL)
            }
        )
    )


def require_places(
    nodes: list[dict[str, Any]], room: Room, resources: Resources, processes: int
) -> None:
    """Raises ResourceError if so many processes never find room at once.

    Args:
        nodes: as returned by `ray.nodes()`.
        room: what it is when nothing runs.
    """
    if room.places(Demand(processes)) is not None:
        return
    names = {node["NodeID"]: node["NodeManagerHostname"] for node in nodes if node["Alive"]}
    there = [f"{slots} on {names[node]}" for node, slots in room.free.items() if slots]
    more = [f"{len(there) - MOST_NODES} more machines"] if len(there) > MOST_NODES else []
    over = f" on {min(resources.nodes, processes)} machines" if resources.nodes else ""
    each = _counted(resources.cpus, "CPU")
    each += f" and {_counted(resources.gpus, 'GPU')}" if resources.gpus else ""
    raise ResourceError(
        f"a run with training.data_parallel {processes} needs {processes} places at once{over}, of"
        f" {each} each, and Ray has {', '.join(there[:MOST_NODES] + more)}"
        + (f", of which --slots allows {room.most}" if room.most < sum(room.free.values()) else "")
        + ": add machines, change resources in the spec, or train with fewer processes"
    )


def slots_of_node(node: dict[str, float], resources: Resources) -> int:
    """How many tasks fit on a node with these resources, as Ray names them.

    Where memory is short, fewer than CPUs: but one at least, which then may use all of it.
    """
    slots = int(node.get("CPU", 0) / resources.cpus + 1e-9)
    if "memory" in node:
        slots = min(slots, max(1, int(node["memory"] / WORKER_BYTES)))
    if resources.gpus:
        gpus = int(node.get("GPU", 0))
        # A fraction has to fit one GPU: two of them hold four runs of 0.4, not five.
        if resources.gpus < 1:
            slots = min(slots, gpus * slots_of_gpu(resources.gpus))
        else:
            slots = min(slots, gpus // int(resources.gpus))
    return slots


def place_of(resources: Resources, multiplier: int) -> dict[str, float]:
    """What Ray is asked for, as options of an actor, for a process with so many slots."""
    return {
        "num_cpus": resources.cpus * multiplier,
        "num_gpus": gpus_of_slots(resources.gpus, multiplier) if resources.gpus else 0,
    }
