"""Signals: the first asks a sweep to stop at the next epoch, the second makes it stop at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING = b"\nstopping when the current epochs are done; Control-C again stops at once\n"


class StopRequest:
    """Whether somebody asked this process to stop.

    Control-C asks once, and insists when it comes again. SIGTERM, by which schedulers announce
    that a machine is to be taken away, asks, and insists by itself after `grace` seconds. To
    insist is to raise KeyboardInterrupt in the main thread.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._asked = False

    @property
    def asked(self) -> bool:
        return self._asked

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals are requests inside the block. In the main thread only."""
        handlers = {
            signal.SIGINT: self._ask,
            signal.SIGTERM: self._ask,
            signal.SIGALRM: self._insist,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        if number == signal.SIGTERM and signal.getitimer(signal.ITIMER_REAL)[0] == 0:
            signal.setitimer(signal.ITIMER_REAL, max(self._grace, 1e-6))
        if not self._asked:
            self._asked = True
            os.write(2, _STOPPING)  # print is not to be trusted inside a handler

    def _insist(self, number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt
