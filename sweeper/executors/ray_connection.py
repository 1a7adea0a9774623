"""Connecting to Ray: a local one started for this process, or a cluster."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
from ray._common.utils import get_ray_address_file
from ray._private import ray_constants, services, utils, worker
from ray.job_config import JobConfig

from sweeper.errors import Interrupted, ResourceError, SweepError
from sweeper.executors.machine_limits import usable_cpus, usable_memory
from sweeper.executors.ray_calls import NOT_FOR_WORKERS, RayCalls, unreachable
from sweeper.process_end import note_native_threads

LOOPBACK = "127.0.0.1"

FIND_SECONDS = 15.0
"""For a name to be resolved, and a connection to the head."""

CONNECT_SECONDS = 40.0
"""A cluster that has not taken this driver by then will not."""

CLOSE_SECONDS = 20.0

MOST_STORED_BYTES = 2**30
"""What Ray may keep of tasks and outcomes, which are small, in memory that processes share."""


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Control-C, SIGTERM and the like, and their deadline, wait until the block is left.

    What a driver does last, to give back what it uses, is not cut short: every call in the block
    has a deadline. The caller's handlers are back in place afterwards, and are called.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    }
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, NOT_FOR_WORKERS)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    for missed in arrived:
        signal.raise_signal(missed)


def _job_name() -> str:
    """What was typed, as UTF-8; a file name among the arguments may be any bytes."""
    return os.fsencode(" ".join(sys.argv)).decode("utf-8", "backslashreplace")


# Ray would put the arguments as they are into a message that takes UTF-8 only.
utils.get_entrypoint_name = _job_name

# Ray would print what its processes say of workers that end among the tables on stdout, whatever
# `log_to_driver` says. Its logs have it, and the outcomes of tasks do.
worker.print_to_stdstream = lambda *_, **__: None


class _WorkersPath(JobConfig):  # type: ignore[misc]
    """Workers look for modules where their own Python does.

    Ray would have them look in the driver's current folder first, where any `numpy.py` would stand
    in for the installed one.
    """

    def _serialize(self) -> Any:
        self._py_driver_sys_path: list[str] = []
        return super()._serialize()


def start_local(
    calls: RayCalls, folder: Path, dashboard: bool, stop_asked: Callable[[], bool]
) -> None:
    """Start a Ray of our own on this machine, which keeps its files in `folder`.

    Raises:
        ResourceError: it cannot be started.
        Interrupted: it was asked to stop.
    """

    memory = usable_memory()

    def start() -> None:
        # Nothing of a local Ray is reachable from other machines.
        with _no_cluster():
            ray.init(
                address="local",
                # Ray would count what the machine has.
                num_cpus=usable_cpus(),
                _memory=memory,
                object_store_memory=max(
                    MOST_STORED_BYTES // 10, min(memory // 10, MOST_STORED_BYTES)
                ),
                include_dashboard=dashboard,
                dashboard_host=LOOPBACK,
                _node_ip_address=LOOPBACK,
                _temp_dir=str(folder),
                **_quietly(),
            )

    try:
        calls(start, stop_asked=stop_asked)
    except SweepError:
        raise
    except ImportError as error:
        raise ResourceError(
            "Ray's dashboard is not installed: pip install 'ray[default]'"
        ) from error
    except Exception as error:  # Ray has no class of its own for what goes wrong here
        raise ResourceError(
            f"Ray cannot be started on this machine: {_one_line(error)}; {folder} has its logs;"
            " --executor inline does without Ray, in one process"
        ) from error


def join(calls: RayCalls, address: str, stop_asked: Callable[[], bool]) -> None:
    """Join the cluster at `address`.

    Raises:
        ResourceError: it cannot be reached, or does not take this driver.
        Interrupted: it was asked to stop.
    """
    reason = f"it was not found in {FIND_SECONDS:.0f} s"
    try:
        calls.head = calls(lambda: _find_head(address), seconds=FIND_SECONDS, stop_asked=stop_asked)
        reason = "it takes connections, and does not answer"
        calls(
            lambda: ray.init(address=address, **_quietly()),
            seconds=CONNECT_SECONDS,
            stop_asked=stop_asked,
        )
    except Interrupted:
        raise
    except ResourceError as error:
        raise _unreachable(address, reason) from error
    except Exception as error:  # as above
        raise _unreachable(address, _one_line(error)) from error


def head() -> tuple[str, int]:
    """Where the head of the Ray that this process is connected to listens."""
    return _split(ray.get_runtime_context().gcs_address)


def own_node() -> str:
    """The node of this process, without which it can start no worker anywhere."""
    return str(ray.get_runtime_context().get_node_id())


def leave(calls: RayCalls) -> None:
    """Leave the cluster, or end the Ray that was started here; raises nothing.

    Ray's own end of the process is replaced: it waits for the answer of a head that is gone.
    """
    atexit.unregister(ray.shutdown)
    note_native_threads()
    with suppress(SweepError):
        calls(ray.shutdown, seconds=CLOSE_SECONDS)
    node = worker._global_node
    if calls.lost and node is not None:
        with suppress(Exception):
            node.kill_all_processes(check_alive=False, allow_graceful=False)


def _quietly() -> dict[str, Any]:
    return {
        "job_config": _WorkersPath(),
        "logging_level": logging.ERROR,
        "log_to_driver": False,
    }


def _find_head(address: str) -> tuple[str, int]:
    """Where the cluster that Ray would join listens; raises if nothing does."""
    if address == "auto":
        address = os.environ.get(ray_constants.RAY_ADDRESS_ENVIRONMENT_VARIABLE) or address
    found = services.canonicalize_bootstrap_address(address)
    if found is None:
        raise ConnectionError(f"{address} is no address of a cluster, which is HOST:PORT")
    host, port = _split(found)
    if reason := unreachable(host, port):
        read = "" if address in (found, "auto") else f", as which Ray reads {address}"
        raise ConnectionError(f"nothing answers at {found}{read} ({reason})")
    return host, port


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _unreachable(address: str, reason: str) -> ResourceError:
    left = Path(get_ray_address_file(None))
    stale = address == "auto" and left.exists()
    return ResourceError(
        f"Ray cannot be reached at {address}: {reason}; check the address, that the cluster runs"
        " (ray status), that this machine is a node of it (ray start --address=... --num-cpus=0"
        " makes it one), that it has the cluster's token, and that versions of Ray and Python match"
        + (f"; if the cluster of {left} has ended, ray stop removes that file" if stale else "")
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


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
