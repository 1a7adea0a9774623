"""The contract of a storage folder."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9._-]+")


class Folder(ABC):
    """A folder of files, which need not exist before the first of them is written.

    Writes are atomic for every reader, and read-after-write consistent between machines.

    Names are made of letters, digits, dots, hyphens and underscores, so that none of them leads
    out of the folder; any other is a ValueError. Every method raises:
        StorageError: something in the place of the folder is none, or cannot do it.
        StorageFullError: there is no space left.
        StorageUnreachableError: the storage cannot be reached, or failed.

    Attributes:
        location: an absolute path or a URL, for people and for `open_folder`; holds no password.
    """

    location: str

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Store a file, in place of an older one; when this returns, it survives a power cut."""

    @abstractmethod
    def read(self, name: str, most: int | None = None) -> bytes:
        """The content of a file.

        Raises FileNotFoundError if it is not there, UnfitFileError if something else is, or if it
        has more than `most` bytes.
        """

    @abstractmethod
    def names(self) -> list[str]:
        """The files and folders directly in it, sorted; none if it does not exist.

        Those whose names are none of a Folder's are left out: something else has made them.
        A write that was killed midway may have left a file whose name begins with a dot.
        """

    @abstractmethod
    def files(self) -> Iterator[tuple[str, int]]:
        """Every file in it and in its folders: its path from here, with /, and its bytes.

        No symbolic link is followed. Files that appear or vanish meanwhile may be left out.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def remove_all(self) -> None:
        """Remove the folder and everything in it, if it is there."""

    @abstractmethod
    def child(self, name: str) -> Folder:
        """A folder in this one."""

    @property
    def path(self) -> Path | None:
        """Where it lies on a disk of this machine; None if it is elsewhere."""
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.location!r})"


def is_name(name: str) -> bool:
    """Whether a Folder accepts it as the name of a file or folder."""
    return _NAME.fullmatch(name) is not None and name not in (".", "..")


def checked(name: str) -> str:
    """The name, if it is one that a Folder accepts."""
    if not is_name(name):
        raise ValueError(f"{name!r} is no name of a file or folder here")
    return name
