"""The folder in which a Ray that we start keeps its sockets and logs."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from sweeper.errors import ResourceError

LONGEST = 107 if sys.platform == "linux" else 103
"""Bytes of the path of a Unix socket (sun_path), without the null byte at its end."""

BELOW = len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")
"""Bytes of the longest path of a socket in the folder."""

VARIABLE = "RAY_TMPDIR"

PREFIX = "sweep-"

LOCK = "driver.lock"


class RayFolder:
    """A new folder that is the user's alone.

    Ray's own default is one folder for all users, in which each may replace what others have there.

    Attributes:
        path: where Ray's files are to be, in that folder: Ray opens its own one to everybody.

    Raises ResourceError if none can be made.
    """

    def __init__(self) -> None:
        parent = _parent()
        self._private = _new_folder(parent)
        self.path = self._private / "r"
        # Held until this process ends, however it does; there is no moment at which it is there and
        # not held.
        unnamed = self._private / "new"
        self._lock = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o600)
        with suppress(OSError):  # a disk without locks, where no other driver gets one either
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        unnamed.rename(self._private / LOCK)
        _remove_those_of_killed_drivers(parent)

    def remove(self) -> None:
        """And all that Ray has left in it."""
        shutil.rmtree(self._private, ignore_errors=True)
        os.close(self._lock)


def _remove_those_of_killed_drivers(parent: Path) -> None:
    for lock in parent.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError):  # it is another user's, or in use, or gone
            held = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
            try:
                if os.fstat(held).st_uid == os.geteuid():
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock.parent, ignore_errors=True)
            finally:
                os.close(held)


def _parent() -> Path:
    """Where RAY_TMPDIR says; else the system's folder for temporary files, if that is short."""
    if given := os.environ.get(VARIABLE):
        parent = Path(given).expanduser().absolute()
        if not _short_enough(parent):
            raise ResourceError(
                f"{VARIABLE}={given}: Ray's sockets would have paths of more than {LONGEST} bytes"
                f" there; set {VARIABLE} to a shorter path"
            )
        return parent
    parent = Path(tempfile.gettempdir()).absolute()
    return parent if _short_enough(parent) else Path("/tmp")


def _short_enough(parent: Path) -> bool:
    return len(os.fsencode(parent / f"{PREFIX}12345678" / "r")) + BELOW <= LONGEST


def _new_folder(parent: Path) -> Path:
    try:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise ResourceError(
                f"{parent} is open to all users, who may replace what others have there (it has no"
                f" sticky bit): set {VARIABLE} to a folder of your own"
            )
        return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # with mode 0700
    except OSError as error:
        raise ResourceError(
            f"no folder for Ray's files can be made in {parent}: {error.strerror}; set {VARIABLE}"
            " to a folder in which you may write"
        ) from error
