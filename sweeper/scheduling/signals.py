"""Signals: the first stops a sweep at the next epoch, the second at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from trainers.streams import tell_at_once

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""What announces an end: of a process, of its terminal, and, at many schedulers, of its time."""

_MOMENT = 0.01
"""Seconds, in which a destructor should be over."""

_STOPPING = "\nstopping when the current epochs are done; Control-C again stops at once\n"


Handler = Callable[[int, FrameType | None], None]


class StopRequest:
    """Whether this process was asked to stop.

    The first SIGINT (Control-C) or one of ENDING asks. A second SIGINT raises KeyboardInterrupt in
    the main thread; after one of ENDING, by which schedulers announce preemption, that happens by
    itself after `grace` seconds.

    Attributes:
        asked: whether a signal has asked the sweep to stop.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals are requests inside the block; in a thread other than the main one, none are."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers: dict[int, Handler] = dict.fromkeys((signal.SIGINT, *ENDING), self._ask)
        before = _handle({**handlers, signal.SIGALRM: self._stop_now})
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.asked:
            self.asked = True
            tell_at_once(_STOPPING)
        # Last: without grace the time is over before the next line.
        if number != signal.SIGINT and signal.getitimer(signal.ITIMER_REAL)[0] == 0:
            signal.setitimer(signal.ITIMER_REAL, max(self._grace, 1e-6))

    def _stop_now(self, number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt


def take_ending_as_control_c() -> None:
    """From now on ENDING raise KeyboardInterrupt in the main thread, as Control-C does.

    Python ignores what is raised in a destructor or a callback of a weak reference, where a signal
    can come as anywhere else: then KeyboardInterrupt is raised again a moment later.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    _handle(dict.fromkeys((*ENDING, signal.SIGALRM), interrupt))
    otherwise = sys.unraisablehook

    def interrupt_again(ignored: sys.UnraisableHookArgs) -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _MOMENT)
        else:
            otherwise(ignored)

    sys.unraisablehook = interrupt_again


def ignore_requests_to_stop() -> None:
    """For a process that ends anyway."""
    for number in (signal.SIGINT, signal.SIGALRM, *ENDING):
        signal.signal(number, signal.SIG_IGN)


def _handle(handlers: Mapping[int, Handler]) -> dict[int, Any]:
    """Set handlers, by signal: for this process, and not for those that are forked from it.

    A signal that is ignored stays so, as SIGHUP by nohup; one that asks to end this very process
    does not.

    Returns:
        those that were there before.
    """
    owner = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:
            handlers[number](number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    return {
        number: signal.signal(number, handle)
        for number in handlers
        if signal.getsignal(number) != signal.SIG_IGN or number in (signal.SIGINT, signal.SIGTERM)
    }
