"""Reading from storages that may be away, for a bounded time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

SECONDS = 5.0
"""For all that is asked for: nobody waits longer for a storage that is away."""


def read_within_seconds(read: Callable[..., object], *arguments: Any) -> None:
    """Call `read` in a thread, and wait for it for SECONDS; what it does later nobody sees."""
    reading = threading.Thread(target=read, args=arguments, daemon=True)
    reading.start()
    reading.join(SECONDS)
