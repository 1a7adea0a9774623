"""Atomic and durable writes: after a crash at any moment a file is complete, or as before."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def write_atomically(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write under a temporary name in the same folder, fsync, rename, fsync the folder.

    Folders that are not there are made, and survive a power cut too. A write that failed may be
    tried again: nothing of it is left but, where not even that could be removed, a hidden file.
    So too if the content, given in pieces, raises an error.

    Raises:
        OSError: the file is missing, unchanged, or complete but perhaps not yet on the disk.
    """
    _make_folder(path.parent)
    # Hidden and unique: a stale writer and its successor may write at once on two machines.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def _make_folder(folder: Path) -> None:
    """As mkdir -p, with each new folder's name on the disk."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        # Made by another process just now, or a file.
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder) from None
    fsync_folder(folder.parent)


def fsync_folder(folder: Path) -> None:
    """Bring to the disk which files the folder has."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
