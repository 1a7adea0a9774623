"""Files that a running run has written so far."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from results.records import Row
from sweeper.errors import ResourceError
from sweeper.executors.run_folders import run_folder
from trainers.errors import StorageError, UnfitFileError
from trainers.own.files import KeptFile
from trainers.own.scratch import SCRATCH, found_in
from trainers.storage.regular_file import open_regular


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


def as_they_are(folder: Path, files: Sequence[Any]) -> list[KeptFile]:
    """These files with the size and SHA-256 that they have now, but for those that have gone."""
    found: list[KeptFile] = []
    for file in files:
        with suppress(OSError, UnfitFileError):
            content = _read(folder / file["path"])
            sha256 = hashlib.sha256(content).hexdigest()
            found.append({"path": file["path"], "size": len(content), "sha256": sha256})
    return found


def content_so_far(file: KeptFile, folder: Path) -> bytes:
    """The content of a file. Raises ResourceError for one that has changed, or cannot be read."""
    try:
        content = _read(folder / file["path"])
    except (OSError, UnfitFileError) as error:
        raise ResourceError(f"{file['path']} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != file["sha256"]:
        raise ResourceError(f"{file['path']} changed while it was read")
    return content


def _read(path: Path) -> bytes:
    with open_regular(path, follow=False) as file:
        return file.read()
