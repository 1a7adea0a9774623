"""Connecting to Ray: a local one started for this process, or a cluster."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import ray
from ray._private import ray_constants
from ray.exceptions import RayError
from ray.job_config import JobConfig

from sweeper.errors import ResourceError

LOOPBACK = "127.0.0.1"

_NOT_FOR_WORKERS = frozenset({signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2})


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Control-C, SIGTERM and the like, and their deadline, wait until the block is left.

    Ray's native code crashes the process when its start or its end is cut short, and its start
    replaces the handler of SIGTERM; the caller's are back in place afterwards, and are called.

    Processes that are started in the block never see a closed terminal or a scheduler's warning,
    which reach them too and would end them at once: the driver asks them to stop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    }
    # Ray does the same with SIGINT.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_FOR_WORKERS)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    for missed in arrived:
        signal.raise_signal(missed)


class _WorkersPath(JobConfig):  # type: ignore[misc]
    """Workers look for modules where their own Python does.

    Ray would have them look in the driver's current folder first, where any `trainers.py` would
    stand in for ours.
    """

    def _serialize(self) -> Any:
        self._py_driver_sys_path: list[str] = []
        return super()._serialize()


def connect(address: str | None, dashboard: bool) -> None:
    """Start a Ray of our own (`address` is None), or join the cluster at `address`.

    Raises ResourceError if that cannot be done.
    """
    options: dict[str, Any] = {
        "address": address or "local",
        "job_config": _WorkersPath(),
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
    try:
        with _no_cluster() if address is None else nullcontext():
            ray.init(**options)
    except ImportError as error:
        raise ResourceError(
            "Ray's dashboard is not installed: pip install 'ray[default]'"
        ) from error
    except (ConnectionError, RuntimeError, ValueError, OSError, RayError) as error:
        reason = " ".join(str(error).split())
        if address is None:
            raise ResourceError(
                f"Ray cannot be started on this machine: {reason}; --executor inline does without"
            ) from error
        raise ResourceError(
            f"Ray cannot be reached at {address}: {reason}; check the address, that this machine is"
            " a node of the cluster (ray start --address=... --num-cpus=0 makes it one), that it"
            " has the cluster's token, and that versions of Ray and Python match"
        ) from error


@contextmanager
def _no_cluster() -> Iterator[None]:
    """Ray's processes that start in the block listen on the loopback interface alone.

    Given the address alone, Ray replaces it by that of the network interface.
    """
    name = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    before, enabled = os.environ.get(name), ray_constants.ENABLE_RAY_CLUSTER
    os.environ[name] = "0"
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = enabled
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
