"""Whether this process may end as usual."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from typing import NoReturn

_busy = False


def note_native_threads() -> None:
    """Foreign native code may still be at work in a thread when this process ends.

    Destructors would take away what it uses: the process would crash, or never end, where an exit
    code is expected.
    """
    global _busy
    _busy = True


def must_end_without_destructors() -> bool:
    """Whether there are such threads."""
    return _busy


def end_without_destructors(code: int) -> NoReturn:
    """End this process with an exit code."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # its reader is gone
            stream.flush()
    os._exit(code)
