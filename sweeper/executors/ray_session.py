"""The Ray of an executor: connected to, called, and left or ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import ray

from sweeper.errors import ResourceError, SweepError
from sweeper.executors.base import ExecutorOptions
from sweeper.executors.ray_calls import RayCalls
from sweeper.executors.ray_connection import head, join, leave, own_node, start_local
from sweeper.executors.ray_folder import RayFolder

T = TypeVar("T")


class RaySession:
    """Calls Ray, as long as it is connected; may be shared with another executor of the process.

    Attributes:
        advice: what to do when Ray is lost; ends a message.
        own_node: of this process, without which it can start no worker; "" until it is connected.
    """

    def __init__(self, options: ExecutorOptions) -> None:
        self.advice = (
            "'sweep resume' starts a new one"
            if options.address is None
            else "start it again, and 'sweep resume' continues"
        )
        self.own_node = ""
        self._options = options
        self._calls = RayCalls(self.advice)
        self._is_own = False
        self._folder: RayFolder | None = None
        self._failed = False

    def connect(self) -> None:
        """To the cluster, or a Ray that is started here.

        Raises ResourceError, and Interrupted if it was asked to stop.
        """
        if not ray.is_initialized():  # else it is that of another executor
            self._is_own = True
            if self._options.address is not None:
                join(self._calls, self._options.address, self._options.stop_asked)
            else:
                self._start()
        self._calls.head = self(head)
        self.own_node = self(own_node)

    def _start(self) -> None:
        self._folder = RayFolder()
        dashboard, stop_asked = self._options.dashboard, self._options.stop_asked
        try:
            start_local(self._calls, self._folder.path, dashboard, stop_asked)
        except ResourceError:
            self._failed = True
            raise

    def __call__(self, work: Callable[[], T], *expected: type[Exception]) -> T:
        """What `work` gives. Raises what is expected of it, and else ResourceError."""
        try:
            return self._calls(work)
        except expected:
            raise
        except SweepError:
            self._failed = True
            raise
        except Exception as error:
            self._failed = True
            raise ResourceError(f"Ray has failed, and what was done is kept: {error}") from error

    def failure(self, why: str) -> ResourceError:
        """An error that says where Ray's logs are, which are kept for it."""
        self._failed = True
        logs = f"; {self._folder.path} has Ray's logs" if self._folder else ""
        return ResourceError(f"{why}{logs}")

    def close(self) -> None:
        """Leave the cluster, or end what was started; raises nothing."""
        if self._is_own:
            leave(self._calls)
        # Of a Ray that gave no answer, processes may still write there: when this one has ended,
        # the next driver removes it.
        if self._folder is not None and not (self._failed or self._calls.lost):
            self._folder.remove()
