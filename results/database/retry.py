"""Retrying after transient errors: a lost connection, a file that others lock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0
_TELL_EVERY_SECONDS = 10.0


class RetryPolicy:
    """How long one call is retried, counted from its first failure.

    `retry_seconds`: when to give up. `passes`: whether an error may pass by itself. `on_wait`:
    called at the first failure, and then every 10 s.
    """

    def __init__(
        self,
        retry_seconds: float,
        passes: Callable[[BaseException], bool],
        on_wait: Callable[[str], None],
    ) -> None:
        self._retry_seconds = retry_seconds
        self._passes = passes
        self._on_wait = on_wait
        self._pauses = wait_exponential(multiplier=_FIRST_PAUSE_SECONDS, max=_LONGEST_PAUSE_SECONDS)
        self._give_up_at: float | None = None
        self._tell_at = 0.0

    @property
    def waited(self) -> bool:
        """Whether a call has failed with a transient error."""
        return self._give_up_at is not None

    def call(self, attempt: Callable[[], T]) -> T:
        """What `attempt` returns; raises its last error when the time is up, or any other."""
        return Retrying(
            sleep=lambda seconds: time.sleep(seconds),
            retry=retry_if_exception(self._passes),
            wait=lambda state: min(self._pauses(state), self._left()),
            stop=lambda state: self._left() <= 0,
            before_sleep=self._tell,
            reraise=True,
        )(attempt)

    def _left(self) -> float:
        now = time.monotonic()
        if self._give_up_at is None:
            self._give_up_at = now + self._retry_seconds
            self._tell_at = now
        return self._give_up_at - now

    def _tell(self, state: RetryCallState) -> None:
        now = time.monotonic()
        if now >= self._tell_at and state.outcome is not None:
            self._tell_at = now + _TELL_EVERY_SECONDS
            error = state.outcome.exception()
            self._on_wait(f"{error}; trying again for {self._left():.0f} s")
