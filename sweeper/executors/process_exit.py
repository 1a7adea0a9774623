"""How a process of this machine ended that is not a child of this one."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
from contextlib import suppress

_GET_INFO = 0xC0000000 | 64 << 16 | 0xFF << 8 | 11
"""PIDFD_GET_INFO of Linux' pidfd.h, with the 64 bytes of its first `struct pidfd_info`."""

_EXIT = 1 << 3
"""PIDFD_INFO_EXIT, since Linux 6.15: the wait status, also when somebody else has taken it."""

_STATUS_AT = 60

_SECONDS = 1.0
"""A process whose connections are closed is gone by then."""


class ProcessExit:
    """Of the process with this id, from now on; made while it runs.

    Where the system cannot tell, nothing is known.
    """

    def __init__(self, pid: int) -> None:
        self._descriptor: int | None = None
        with suppress(AttributeError, OSError):  # not Linux, or no such process
            self._descriptor = os.pidfd_open(pid)
            if self._ask() is None:
                self.close()

    def said(self) -> str | None:
        """ "by SIGSEGV", or "with exit code 3"; None while it runs, or if it is not known."""
        if self._descriptor is None:
            return None
        poll = select.poll()
        poll.register(self._descriptor, 0)  # for its hang-up alone: nobody waits for it any more
        poll.poll(_SECONDS * 1000)
        mask, status = self._ask() or (0, 0)
        if not mask & _EXIT:
            return None
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return f"with exit code {code}"
        try:
            return f"by {signal.Signals(-code).name}"
        except ValueError:  # a real-time signal
            return f"by signal {-code}"

    def close(self) -> None:
        """Nothing is known any more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _ask(self) -> tuple[int, int] | None:
        """What the system has told, and the wait status; None if it tells nothing."""
        if self._descriptor is None:
            return None
        info = bytearray(64)
        struct.pack_into("=Q", info, 0, _EXIT)
        try:
            fcntl.ioctl(self._descriptor, _GET_INFO, info)
        except OSError:
            return None
        mask: int = struct.unpack_from("=Q", info)[0]
        status: int = struct.unpack_from("=i", info, _STATUS_AT)[0]
        return mask, status
