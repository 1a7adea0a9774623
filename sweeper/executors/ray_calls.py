"""Calls to Ray that end, whatever Ray does, and during which signals are heard."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any, TypeVar

from sweeper.errors import Interrupted, ResourceError

PATIENCE_SECONDS = 50.0
"""How long Ray may take for an answer while its head can still be reached. After a minute it ends
the process."""

SILENT_SECONDS = 4.0
"""After this long without an answer, it is looked at whether the head can be reached at all."""

PROBE_SECONDS = 3.0

NOT_FOR_WORKERS = frozenset({signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2})
"""A closed terminal or a scheduler's warning reaches workers too, and would end them at once: the
driver asks them to stop."""

POLL_SECONDS = 0.5

T = TypeVar("T")


class RayCalls:
    """Calls Ray, one call after the other, on a thread of its own.

    Ray's native code waits for a lost head for minutes, in which it hears no signal, and then ends
    the process; and it does not survive an exception in the middle of its start or end. So the
    calling thread only waits for the answer.

    The thread lives as long as the process does: processes of a Ray that it has started end with
    it (PR_SET_PDEATHSIG).

    Args:
        advice: what to do when Ray is lost; ends the message.

    Attributes:
        head: host and port that the head listens at, once they are known.
        lost: whether a call got no answer; then no further one is made.
    """

    def __init__(self, advice: str) -> None:
        self._advice = advice
        self.head: tuple[str, int] | None = None
        self.lost = False
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        threading.Thread(target=self._serve, name="ray", daemon=True).start()

    def _serve(self) -> None:
        # Processes that are started here have it from here. Ray does the same with SIGINT.
        signal.pthread_sigmask(signal.SIG_BLOCK, NOT_FOR_WORKERS)
        while True:
            future, work = self._queue.get()
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

    def __call__(
        self,
        work: Callable[[], T],
        *,
        seconds: float = PATIENCE_SECONDS,
        stop_asked: Callable[[], bool] = lambda: False,
    ) -> T:
        """What `work` returns or raises.

        Raises:
            ResourceError: Ray gave no answer in time, its head is gone, or it is lost already.
            Interrupted: it was asked to stop.
        """
        if self.lost:
            raise self._error("does not answer")
        future: Future[T] = Future()
        self._queue.put((future, work))
        try:
            self._wait(future, seconds, stop_asked)
        except BaseException:
            self.lost = True
            raise
        return future.result()

    def _wait(self, future: Future[Any], seconds: float, stop_asked: Callable[[], bool]) -> None:
        silent, looked = 0.0, time.monotonic()
        while not wait([future], timeout=POLL_SECONDS).done:
            now = time.monotonic()
            # Not for how long this process itself was suspended.
            silent += min(now - looked, POLL_SECONDS + PROBE_SECONDS)
            looked = now
            if stop_asked():
                raise Interrupted("stopped while Ray was being started or reached")
            if silent > seconds:
                raise self._error(f"has not answered for {silent:.0f} s")
            if silent > SILENT_SECONDS and self.head and (reason := unreachable(*self.head)):
                raise self._error(f"is gone ({reason})")

    def _error(self, what: str) -> ResourceError:
        at = f" at {self.head[0]}:{self.head[1]}" if self.head else ""
        return ResourceError(f"Ray{at} {what}; what was done is kept: {self._advice}")


def unreachable(host: str, port: int) -> str:
    """Why no connection to this address can be made now; empty if one was."""
    try:
        socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        return str(getattr(error, "strerror", None) or error)
    return ""
