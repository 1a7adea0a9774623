"""Opening a file by a name that somebody else may have given to anything else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from trainers.errors import UnfitFileError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def open_regular(path: Path, most: int | None = None, *, follow: bool = True) -> Iterator[BinaryIO]:
    """The file at `path`, for reading, or the one that a link there leads to.

    A pipe would be waited for without an end, and a device such as /dev/zero be read without one.

    Args:
        most: bytes that it may have; None for any number.
        follow: whether the file may be a link to another one.

    Raises:
        OSError: it cannot be opened.
        UnfitFileError: it is no regular file, or too large a one.
    """
    # A pipe is opened at once, without a writer; a regular file is read as ever.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    problem = unfit(os.fstat(descriptor), most)
    if problem is not None:
        os.close(descriptor)
        raise UnfitFileError(f"{path} is {problem}")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def unfit(status: os.stat_result, most: int | None = None) -> str | None:
    """What else than a regular file of at most `most` bytes it is; None if it is one."""
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        return f"{kind}, not a file"
    if most is not None and status.st_size > most:
        return f"too large: it has {status.st_size:,} bytes, where at most {most:,} are read"
    return None
