"""An actor as the driver sees it: the process on a slot, or one of several that train together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayError, RayTaskError

from sweeper.executors.process_exit import ProcessExit
from sweeper.executors.ray_worker import Preparation, Slot
from sweeper.executors.reporting import Report
from sweeper.executors.tasks import Loss, Task

T = TypeVar("T")

_ACTOR = ray.remote(max_restarts=0, max_task_retries=0, concurrency_groups={"watch": 1})(Slot)


class Call(Protocol):
    """Calls Ray; raises what is expected of it, and else ResourceError."""

    def __call__(self, work: Callable[[], T], *expected: type[Exception]) -> T:
        """What `work` gives."""


class RayProcess:
    """Starts one, which says when it is prepared; then it can be given tasks.

    Attributes:
        start: reference to what `prepare` returns; None once that is known.
        asked_for_at: when it was started, by time.monotonic, as all times here.
        node, host, pid: once it has started.
        outcomes: reference to those of its tasks; None: it has none.
        answered_at: when it last answered a heartbeat.
        beat_at: when its task last made progress.
        note: what its task waits for.
    """

    def __init__(self, call: Call, preparation: Preparation, options: dict[str, Any]) -> None:
        self._call = call

        def start() -> tuple[Any, Any]:
            actor = _ACTOR.options(**options).remote()
            return actor, actor.prepare.remote(*preparation)

        self._actor, self.start = call(start)
        self.asked_for_at = time.monotonic()
        self.node = ""
        self.host = ""
        self.pid = 0
        self.outcomes: Any = None
        self.note = ""
        self.beat_at = self.answered_at = self.asked_for_at
        self._exit: ProcessExit | None = None
        self._heartbeat: Any = None
        self._beats = -1

    def started(self, own_node: str) -> str:
        """Reads what it was prepared to; why nothing can train there, or "".

        Raises RayError if it did not start.
        """
        self.node, self.host, self.pid, problem = self._call(lambda: ray.get(self.start), RayError)
        self._heartbeat = None
        if not problem:
            self.start = None
            if self.node == own_node:
                self._exit = ProcessExit(self.pid)
        return str(problem)

    @property
    def has_answered(self) -> bool:
        """Whether it has the resources that it needs, and is there."""
        return self.start is None or self._beats >= 0

    def listen(self) -> Any:
        """Reference to the address at which it listens for other processes of its task."""
        return self._call(self._actor.listen.remote)

    def execute(self, tasks: Sequence[Task]) -> None:
        """Begins them, one after the other."""
        self.outcomes = self._call(lambda: self._actor.execute.remote(tasks))
        self._beats, self.note = -1, ""
        self.beat_at = self.answered_at = time.monotonic()

    def ask_to_stop(self) -> None:
        """At its next epoch."""
        self._call(self._actor.ask_to_stop.remote)

    def done(self) -> None:
        """Its outcomes were read."""
        self.outcomes = self._heartbeat = None

    def look(self, now: float, most: int) -> Report | None:
        """What it has reported, of what it was asked for last; asks for at most so many values."""
        if not self.has_answered:
            self.beat_at = self.answered_at = now  # it waits for resources
        report = self.read(now)
        if self._heartbeat is None:
            self._heartbeat = self._call(lambda: self._actor.heartbeat.remote(most))
        return report

    def read(self, now: float) -> Report | None:
        """Notes what it has answered, if it has; what it has reported."""

        def answer() -> Any:
            if not ray.wait([self._heartbeat], timeout=0)[0]:
                return None
            return ray.get(self._heartbeat)

        if self._heartbeat is None:
            return None
        try:
            answered = self._call(answer, RayError)
        except RayError:  # comes out as the outcome of the task
            self._heartbeat = None
            return None
        if answered is None:
            return None
        self._heartbeat, self.answered_at = None, now
        beats, self.note, report = answered
        if beats != self._beats:
            self._beats, self.beat_at = beats, now
        found: Report | None = report
        return found

    def was_suspended(self, now: float) -> None:
        """The driver itself was, and could not look."""
        self.beat_at = self.answered_at = now

    def loss(self, error: RayError) -> tuple[str, Loss]:
        """Why it is gone: killed, out of memory, or its node lost."""
        no_memory = isinstance(error, OutOfMemoryError) or "running low on memory" in str(error)
        return _reason_of_loss(error, self._exit), "out_of_memory" if no_memory else "worker_lost"

    def end(self) -> None:
        """At once."""
        if self._exit is not None:
            self._exit.close()
        self._call(lambda: ray.kill(self._actor, no_restart=True))


def reason(error: RayError) -> str:
    """An error of Ray in a line; of what a process raised, that."""
    said = error.cause if isinstance(error, RayTaskError) else error
    lines = str(said).strip().splitlines()
    return f"{type(said).__name__}: {lines[0] if lines else 'no reason'}"


def _reason_of_loss(error: RayError, process: ProcessExit | None) -> str:
    if not isinstance(error, ActorDiedError) or "Worker unexpectedly exits" not in str(error):
        return reason(error)
    # All that Ray knows is that its connection was closed.
    how = None if process is None else process.said()
    if how is None:
        return "its process ended at once: it crashed, left by os._exit, or was killed"
    also = ", which the system sends when memory runs out" if how == "by SIGKILL" else ""
    return f"its process ended {how}{also}"
