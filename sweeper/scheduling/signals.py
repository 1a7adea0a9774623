"""Signals: the first stops a sweep at the next epoch, the second at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING = b"\nstopping when the current epochs are done; Control-C again stops at once\n"


class StopRequest:
    """Whether this process was asked to stop.

    The first SIGINT (Control-C) or SIGTERM asks. A second SIGINT raises KeyboardInterrupt in the
    main thread; after SIGTERM, by which schedulers announce preemption, that happens by itself
    after `grace` seconds.

    Attributes:
        asked: whether a signal has asked the sweep to stop.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals are requests inside the block. In the main thread only."""
        handlers = {
            signal.SIGINT: self._ask,
            signal.SIGTERM: self._ask,
            signal.SIGALRM: self._stop_now,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        if number == signal.SIGTERM and signal.getitimer(signal.ITIMER_REAL)[0] == 0:
            signal.setitimer(signal.ITIMER_REAL, max(self._grace, 1e-6))
        if not self.asked:
            self.asked = True
            os.write(2, _STOPPING)  # print is not safe inside a signal handler

    def _stop_now(self, number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt
