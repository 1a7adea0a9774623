"""Tasks on Ray: one long-lived actor a slot, on this machine or a cluster.

An actor imports torch once and then trains run after run. Ray retries nothing here: lost workers
come back as outcomes and are counted by the scheduler.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

# Both are read when ray is imported. No reports of use leave the machine, and an actor without
# GPUs keeps seeing what its environment shows.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray.exceptions import RayError

from sweeper.errors import ResourceError
from sweeper.executors.base import Executor
from sweeper.spec import Resources
from sweeper.worker import Finished, Lost, Outcome, Raised, Task, execute

LOOPBACK = "127.0.0.1"


class _Slot:
    """The actor: a process that trains one run at a time."""

    def __init__(self, threads: int) -> None:
        from trainers.run import prepare_torch

        prepare_torch(threads)

    def execute(self, task: Task) -> Finished | Raised:
        return execute(task)

    def process_id(self) -> int:
        return os.getpid()


class RayExecutor(Executor):
    """See the module. Made by `start`."""

    def __init__(self, resources: Resources, slots: int, owns_ray: bool) -> None:
        self._resources = resources
        self._slots = slots
        self._owns_ray = owns_ray
        self._actor_class = ray.remote(max_restarts=0, max_task_retries=0)(_Slot)
        self._free: list[Any] = []
        self._running: dict[Any, tuple[Task, Any]] = {}

    @classmethod
    def start(
        cls,
        resources: Resources,
        *,
        address: str | None,
        most_slots: int,
        dashboard: bool = False,
    ) -> Self:
        owns_ray = not ray.is_initialized()
        if owns_ray:
            with _signals_deferred():
                _connect(address, dashboard)
        executor: Self | None = None
        try:
            slots = min(most_slots, _slots_of(ray.nodes(), resources))
            executor = cls(resources, slots, owns_ray)
            # All at once, so that the imports of torch overlap.
            executor._free = [executor._new_actor() for _ in range(slots)]
            return executor
        except BaseException:
            if executor is not None:
                executor.close()
            elif owns_ray:
                ray.shutdown()
            raise

    def _new_actor(self) -> Any:
        return self._actor_class.options(
            num_cpus=self._resources.cpus, num_gpus=self._resources.gpus
        ).remote(self._resources.threads)

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def device(self) -> str:
        # Ray shows an actor its own GPU only, as the first one.
        return "cuda" if self._resources.gpus else "cpu"

    def submit(self, task: Task) -> None:
        if not self._free:
            raise RuntimeError("no slot is free")
        actor = self._free.pop()
        self._running[actor.execute.remote(task)] = (task, actor)

    def wait(self, timeout: float) -> list[Outcome]:
        if not self._running:
            return []
        references = list(self._running)
        ready, _ = ray.wait(references, num_returns=1, timeout=timeout)
        if ready:
            # Whatever else is ready by now comes along.
            ready, _ = ray.wait(references, num_returns=len(references), timeout=0)
        return [self._outcome(reference) for reference in ready]

    def _outcome(self, reference: Any) -> Outcome:
        task, actor = self._running.pop(reference)
        try:
            outcome: Outcome = ray.get(reference)
        except RayError as error:
            # The process is gone: killed, out of memory, or its node lost.
            ray.kill(actor, no_restart=True)
            self._free.insert(0, self._new_actor())
            reason = str(error).strip().splitlines()
            return Lost(task, f"{type(error).__name__}: {reason[0] if reason else 'no reason'}")
        self._free.append(actor)
        return outcome

    def process_ids(self) -> list[int]:
        """Of the free slots' processes."""
        pids: list[int] = ray.get([actor.process_id.remote() for actor in self._free])
        return pids

    def close(self) -> None:
        with _signals_deferred():
            self._close()

    def _close(self) -> None:
        for actor in [*self._free, *(actor for _, actor in self._running.values())]:
            ray.kill(actor, no_restart=True)
        self._free, self._running = [], {}
        if self._owns_ray:
            ray.shutdown()


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Control-C and SIGTERM wait until the block is left.

    Ray's native code crashes the process when its start or its end is cut short, and its start
    replaces the handler of SIGTERM; the caller's are back in place afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if arrived:
        raise KeyboardInterrupt


def _connect(address: str | None, dashboard: bool) -> None:
    options: dict[str, Any] = {
        "address": address or "local",
        "logging_level": logging.ERROR,
        "log_to_driver": False,
    }
    if address is None:
        # Nothing of a local Ray is reachable from other machines.
        options |= {
            "include_dashboard": dashboard,
            "dashboard_host": LOOPBACK,
            "_node_ip_address": LOOPBACK,
        }
    elif dashboard:
        raise ResourceError("--ray-dashboard is for a local Ray; a cluster's head starts its own")
    try:
        ray.init(**options)
    except ImportError as error:
        raise ResourceError(
            "Ray's dashboard is not installed: pip install 'ray[default]'"
        ) from error
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"at {address}" if address else "on this machine"
        reason = " ".join(str(error).split())
        raise ResourceError(
            f"Ray cannot be reached {where}: {reason}; check the address and that the versions "
            "of Ray and Python match, or use --executor inline"
        ) from error


def _slots_of(nodes: list[dict[str, Any]], resources: Resources) -> int:
    """How many tasks fit, each whole on one node. Raises ResourceError for none.

    Args:
        nodes: as of `ray.nodes()`.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    slots = sum(_slots_of_node(node, resources) for node in alive)
    if slots == 0:
        cpus = max((node.get("CPU", 0) for node in alive), default=0)
        gpus = max((node.get("GPU", 0) for node in alive), default=0)
        raise ResourceError(
            f"a run asks for {resources.cpus:g} CPUs and {resources.gpus:g} GPUs, and Ray's "
            f"largest machine has {cpus:g} and {gpus:g}: change resources.cpus or resources.gpus "
            "in the spec, or add, for example, --set resources.gpus=0 to train on the CPU"
        )
    return slots


def _slots_of_node(node: dict[str, float], resources: Resources) -> int:
    slots = int(node.get("CPU", 0) / resources.cpus + 1e-9)
    if resources.gpus:
        gpus = int(node.get("GPU", 0))
        # A share has to fit one GPU: two of them hold four runs of 0.4, not five.
        if resources.gpus < 1:
            slots = min(slots, gpus * int(1 / resources.gpus + 1e-9))
        else:
            slots = min(slots, gpus // int(resources.gpus))
    return slots
