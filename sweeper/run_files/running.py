"""Files that a running run has written so far."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from results.records import Row
from sweeper.errors import ResourceError
from sweeper.executors.run_folders import run_folder
from trainers.errors import StorageError, UnfitFileError
from trainers.own.scratch import SCRATCH, found_in
from trainers.storage.regular_file import open_regular

_PIECE = 1 << 20
"""Bytes that are in memory at once."""


def folder_of(run_id: str, attempts: Sequence[Row]) -> Path | None:
    """What the newest of these attempts writes into; None if that is not on a disk of here."""
    storage = attempts[-1]["storage"] if attempts else None
    if storage is None:
        return None
    with suppress(StorageError, OSError):
        attempt = run_folder(storage, run_id).child(str(attempts[-1]["attempt"]))
        if attempt.path is not None and (attempt.path / SCRATCH).is_dir():
            return attempt.path / SCRATCH
    return None


def written_so_far(folder: Path) -> list[Any]:
    """As `Queries.file_rows` has kept files, but for their SHA-256: they may still change."""
    found = []
    for path in sorted(path for path, problem in found_in(folder) if problem is None):
        with suppress(OSError):
            found.append({"path": path, "size": (folder / path).lstat().st_size, "sha256": None})
    return found


def content_so_far(path: Path, name: str) -> Iterator[bytes]:
    """The content that a file has now, in pieces; what is added meanwhile is left out.

    Raises ResourceError, with the file's `name`, if it has gone or cannot be read.
    """
    try:
        with open_regular(path, follow=False) as file:
            left = os.fstat(file.fileno()).st_size
            while piece := file.read(min(_PIECE, left)):
                left -= len(piece)
                yield piece
    except (OSError, UnfitFileError) as error:
        raise ResourceError(f"{name} cannot be read: {error}") from error
