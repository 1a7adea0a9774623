"""A Ray cluster of several nodes on this machine, whose nodes die and are replaced."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

import drivers

OBJECT_STORE_BYTES = 80_000_000
"""Next to nothing passes through Ray's object store."""


class RayNodes:
    """A head and others with as many CPUs each.

    Attributes:
        address: for `--ray-address`.
    """

    def __init__(self, cluster: Any, cpus: int) -> None:
        self._cluster = cluster
        self._cpus = cpus
        self._family: dict[int, psutil.Process] = {}
        self.address: str = cluster.address

    def add(self) -> Any:
        """A new node."""
        return self._cluster.add_node(num_cpus=self._cpus, object_store_memory=OBJECT_STORE_BYTES)

    def others(self) -> list[Any]:
        """All nodes but the head."""
        return [node for node in self._cluster.list_all_nodes() if node is not self._head]

    @property
    def _head(self) -> Any:
        return self._cluster.head_node

    def trains(self, node: Any) -> bool:
        """Whether a worker of the sweep is on the node."""
        return any("ray::Slot" in drivers._title(process) for process in self._remember(node))

    def workers(self) -> list[psutil.Process]:
        """Those of the sweep, of all nodes."""
        there = [p for node in self._cluster.list_all_nodes() for p in self._remember(node)]
        return [process for process in there if "ray::Slot" in drivers._title(process)]

    def kill_raylet(self, node: Any) -> None:
        """SIGKILL for the raylet of a node; whatever else ran there is ended then."""
        workers = self._remember(node)
        (raylet,) = node.all_processes["raylet"]
        raylet.process.kill()
        raylet.process.wait()  # its workers wait for that, too
        psutil.wait_procs(workers, timeout=30)
        self._cluster.remove_node(node, allow_graceful=False)

    def kill_head(self) -> None:
        """SIGKILL for the process that every node and driver needs."""
        for node in self._cluster.list_all_nodes():
            self._remember(node)
        (head,) = self._head.all_processes["gcs_server"]
        head.process.kill()
        head.process.wait()

    def reserved_cpus(self) -> float:
        """CPUs of the living nodes that Ray has reserved."""
        state = self._cluster.global_state
        there, free = state.cluster_resources(), state.available_resources()
        return float(there.get("CPU", 0) - free.get("CPU", 0))

    def placement_groups(self) -> list[dict[str, Any]]:
        """Those that have not been given back."""
        groups = self._cluster.global_state.placement_group_table().values()
        return [group for group in groups if group["state"] != "REMOVED"]

    def seconds_until_free(self, at_most: float) -> float:
        """How long Ray keeps CPUs reserved."""
        start = time.monotonic()
        while (reserved := self.reserved_cpus()) > 0:
            seconds = time.monotonic() - start
            assert seconds < at_most, f"{reserved:g} CPUs are still reserved after {seconds:.0f} s"
            time.sleep(0.1)
        return time.monotonic() - start

    def close(self) -> None:
        for node in self._cluster.list_all_nodes():
            self._remember(node)
        self._cluster.shutdown()
        drivers.kill_all(list(self._family.values()))

    def _remember(self, node: Any) -> list[psutil.Process]:
        """The processes below the node's raylet."""
        found: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            (raylet,) = node.all_processes["raylet"]
            found = psutil.Process(raylet.process.pid).children(recursive=True)
        self._family |= {process.pid: process for process in found}
        return found


@contextmanager
def ray_nodes(others: int, cpus: int = 1) -> Iterator[RayNodes]:
    """A head and `others` other nodes, with so many CPUs each; all are stopped afterwards."""
    from ray.cluster_utils import Cluster

    head = {
        "num_cpus": cpus,
        "object_store_memory": OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }
    nodes = RayNodes(Cluster(initialize_head=True, head_node_args=head), cpus)
    try:
        for _ in range(others):
            nodes.add()
        yield nodes
    finally:
        nodes.close()
