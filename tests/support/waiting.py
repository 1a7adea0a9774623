"""Waiting for what other processes and threads do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

PAUSE_SECONDS = 0.01


def wait_until(
    look: Callable[[], Found], what: str = "it comes to that", seconds: float = 120.0
) -> Found:
    """What `look` finds at last. Fails after that many seconds, which only a hang takes."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(PAUSE_SECONDS)
    return found
