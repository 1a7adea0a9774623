"""The actor of a slot: the process that trains one run at a time, and answers while it does.

It travels to its worker by value and imports nothing of this project until it has seen to it where
from. Sent by name, it would itself be imported from wherever the worker's Python looks first: the
machine's own installation, or a folder of the same name.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import ray
from ray import cloudpickle

if TYPE_CHECKING:
    from sweeper.executors.heartbeat import Heartbeat
    from sweeper.executors.reporting import Report
    from sweeper.executors.tasks import Outcome, Task
    from sweeper.logs.capture import RunLogs

PACKAGES = ("sweep_plugins", "results", "trainers", "sweeper")
"""Those of this project, each after those that it imports."""


class Preparation(NamedTuple):
    """What a worker needs before its first task.

    Attributes:
        code: the driver's OwnCode, as plain data.
        named: of what runs name: the SHA-256 of the code of trainers and plug-ins.
        without: variables that are not to be in its environment.
    """

    code: dict[str, Any]
    trainers: frozenset[str]
    named: dict[str, str]
    module_folders: tuple[Path, ...]
    compiles: bool
    device: str
    threads: int
    without: tuple[str, ...]


class Slot:
    """See the module. Arguments and results of its first two methods are plain data."""

    def __init__(self) -> None:
        self._stopping = False
        self._heartbeat: Heartbeat | None = None
        self._problem = "it was not prepared"
        self._logs: RunLogs | None = None
        self._store: object = None  # open for as long as it is kept

    def prepare(self, *preparation: Any) -> tuple[str, str, int, str]:
        """Node, host, process, and why no run can train here; empty if one can."""
        wanted = Preparation(*preparation)
        left_out = {name: os.environ.pop(name, "") for name in wanted.without}
        self._problem = _problem(wanted)
        if not self._problem:
            from sweep_plugins.variable_secrets import secret_values
            from sweeper.logs.capture import RunLogs

            self._logs = RunLogs(secret_values(left_out))
        node = ray.get_runtime_context().get_node_id()
        return node, socket.gethostname(), os.getpid(), self._problem

    @ray.method(concurrency_group="watch")  # type: ignore[untyped-decorator]
    def heartbeat(self, most: int) -> tuple[int, str, Report | None]:
        """How many beats so far, what the task waits for, and at most so many reported values."""
        heartbeat = self._heartbeat
        if heartbeat is None:
            return 0, "", None
        return heartbeat.count, heartbeat.note, heartbeat.take_report(most)

    def listen(self) -> str:
        """The address, host:port, at which this process meets others that train with it."""
        if self._problem:
            raise RuntimeError(self._problem)
        from trainers.parallel.rendezvous import listen

        address, self._store = listen(ray.util.get_node_ip_address())
        return address

    def execute(self, tasks: Sequence[Task]) -> list[Outcome]:
        """One after the other."""
        if self._problem:
            raise RuntimeError(self._problem)  # they were handed over before it was known
        from sweeper.executors.heartbeat import Heartbeat
        from sweeper.executors.worker import execute

        # The request to stop may be there before the tasks are.
        heartbeat = self._heartbeat = Heartbeat(lambda: self._stopping)
        return [execute(task, heartbeat, self._logs) for task in tasks]

    @ray.method(concurrency_group="watch")  # type: ignore[untyped-decorator]
    def ask_to_stop(self) -> None:
        """At the end of the epoch."""
        self._stopping = True


def _problem(wanted: Preparation) -> str:
    try:
        _import_packages_from(wanted.code["folder"])
        from sweep_plugins import PluginError, UnknownNameError
        from sweeper.executors.own_code import OwnCode, own_code
        from trainers.errors import TrainerError
        from trainers.run import prepare
        from trainers.streams import guard_streams
    except (Exception, SystemExit) as error:
        return f"sweep cannot be imported: {type(error).__name__}: {error}"
    if difference := own_code().difference(OwnCode(**wanted.code)):
        return f"{difference}; every machine needs the same, from one image or constraints.txt"
    guard_streams(working=True)
    try:
        prepare(
            wanted.trainers,
            device=wanted.device,
            threads=wanted.threads,
            module_folders=wanted.module_folders,
            code=wanted.named,
            compiles=wanted.compiles,
        )
    except TrainerError as error:
        return str(error)
    except (PluginError, UnknownNameError) as error:
        return f"{error}; install the same plug-ins on every machine"
    return ""


def _import_packages_from(folder: str) -> None:
    """Import the packages of this project from there, if it has them, whatever the path says."""
    for name in PACKAGES:
        spec = PathFinder.find_spec(name, [folder])
        if spec is None or spec.loader is None or spec.origin is None:
            return  # another machine, where they are elsewhere
        module = module_from_spec(spec)
        for imported in [key for key in sys.modules if key.partition(".")[0] == name]:
            del sys.modules[imported]
        sys.modules[name] = module
        spec.loader.exec_module(module)


cloudpickle.register_pickle_by_value(sys.modules[__name__])
