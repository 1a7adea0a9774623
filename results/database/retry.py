"""Waiting for a database that was lost, without hiding it and without end."""

from __future__ import annotations

import time
from collections.abc import Callable

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0
_TELL_EVERY_SECONDS = 10.0


class Patience:
    """The waits of one call; its clock starts with the first."""

    def __init__(self, seconds: float, on_wait: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._on_wait = on_wait
        self._pause = _FIRST_PAUSE_SECONDS
        self._deadline: float | None = None
        self._tell_at = 0.0

    @property
    def waited(self) -> bool:
        """Whether there was any reason to wait."""
        return self._deadline is not None

    def wait(self, error: Exception) -> None:
        """Sleeps, each time longer, before the next try; raises `error` when all is used up.

        Says so at once, and then every 10 s.
        """
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = self._tell_at = now
            self._deadline += self._seconds
        left = self._deadline - now
        if left <= 0:
            raise error
        if now >= self._tell_at:
            self._tell_at = now + _TELL_EVERY_SECONDS
            self._on_wait(f"{error}; trying again for {left:.0f} s")
        time.sleep(min(self._pause, left))
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
