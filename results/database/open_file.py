"""Whether a SQLite file that is open is still the one under its name, and still whole.

SQLite goes on writing into a file that was deleted, moved or replaced, and says nothing. Each look
costs some system calls, so that every commit can have one.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100  # https://sqlite.org/fileformat2.html, "The Database Header"

Identity = tuple[int, int]
"""Device and inode."""


class OpenFile:
    """A database file as it was when it was opened, and the files beside it.

    `close` it after the last connection to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = _identity(path.parent)
        self._descriptor = _hold(path)
        self._beside: dict[str, Identity] = {}
        self._largest = os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """Looks no more."""
        _release(self._descriptor)

    @property
    def is_named(self) -> bool:
        """Whether the file under the name is the one that was opened."""
        return _identity(self._path) == _identity(self._descriptor)

    @property
    def has_its_folder(self) -> bool:
        """Whether the folder of that name is still the one in which the file was opened."""
        return _identity(self._path.parent) == self._folder

    def problem(self) -> str | None:
        """What has happened to the file, as the end of a sentence; None if nothing has.

        To be asked while nobody else writes, and while this process is connected.
        """
        held = os.fstat(self._descriptor)
        if not self.is_named:
            if os.path.lexists(self._path):
                return "was replaced by another file"
            return "was moved away" if held.st_nlink else "was deleted"
        header = os.pread(self._descriptor, _HEADER_BYTES, 0)
        if len(header) == _HEADER_BYTES and not header.startswith(_MAGIC):
            return "was overwritten"
        # While others read, SQLite moves a part of its log into the file: the header, and not yet
        # every page that it counts. But the file never shrinks then.
        whole = max(_HEADER_BYTES, _bytes_of_pages(header))
        if held.st_size < min(whole, self._largest):
            return "was cut short"
        self._largest = max(self._largest, held.st_size)
        return self._problem_beside()

    def _problem_beside(self) -> str | None:
        for path in sidecars(self._path)[:2]:
            # They are there from the first commit on, and as long as anybody is connected.
            found, known = _identity(path), self._beside.get(path.name)
            if known is None:
                if found is not None:
                    self._beside[path.name] = found
            elif found != known:
                return f"has lost {path.name}, which holds its newest changes,"
        return None

    def own_sidecars(self) -> list[Path]:
        """The files beside the name that belong to the file that was opened."""
        return [
            path
            for path in sidecars(self._path)
            if path.name in self._beside and _identity(path) == self._beside[path.name]
        ]


def sidecars(path: Path) -> list[Path]:
    """The files that SQLite keeps beside a database while it is used, or after a crash."""
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")]


def _bytes_of_pages(header: bytes) -> int:
    """How long the file is by its own header; 0 where that does not say."""
    page = int.from_bytes(header[16:18], "big")
    return (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")


def _identity(file: Path | int) -> Identity | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino


# Closing any descriptor of a file drops all locks that this process has on it (POSIX), and SQLite
# does not know. So there is one for each file, which is closed when nobody here has it open.
_held: dict[Identity, tuple[int, int]] = {}
_mutex = threading.Lock()


def _hold(path: Path) -> int:
    with _mutex:
        found = _identity(path)
        if found is not None and found in _held:
            descriptor, users = _held[found]
        else:
            descriptor, users = os.open(path, os.O_RDONLY | os.O_CLOEXEC), 0
            opened = os.fstat(descriptor)
            found = (opened.st_dev, opened.st_ino)
        _held[found] = descriptor, users + 1
    return descriptor


def _release(descriptor: int) -> None:
    with _mutex:
        (key,) = (key for key, (held, _) in _held.items() if held == descriptor)
        users = _held.pop(key)[1] - 1
        if users:
            _held[key] = descriptor, users
        else:
            os.close(descriptor)
