"""The contents of files that runs keep, from the storages of their attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from sweeper.errors import ResourceError
from sweeper.executors.run_folders import attempt_folders, run_folder
from trainers.errors import StorageError
from trainers.own.files import STORED, KeptFile, read_stored
from trainers.storage import Folder


def folders_of(attempt: Mapping[str, Any], named: str) -> list[Folder]:
    """Where the files of a run may lie.

    Where the attempt wrote that made its result; and in the named storage, where somebody may have
    put the folder of a run that an archive brought, or one that was moved.

    Args:
        attempt: as a row of `Queries.attempt_rows`.
        named: path or URL of a storage.
    """
    run_id = attempt["run_id"]
    folders: list[Folder] = []
    # What an archive says of a place is of another machine.
    if attempt["storage"] is not None and attempt["imported_from"] is None:
        folders.append(run_folder(attempt["storage"], run_id).child(str(attempt["attempt"])))
    known = {folder.location for folder in folders}
    with suppress(StorageError):
        found = attempt_folders(run_folder(named, run_id))
        folders += [folder for folder in found if folder.location not in known]
    return folders


def are_in(files: Sequence[KeptFile], folders: Sequence[Folder]) -> bool:
    """Whether each of the files lies in one of the folders, whatever is in it by now."""
    names: set[str] = set()
    for folder in folders:
        with suppress(StorageError):
            names.update(folder.names())
    return all(f"{STORED}{file['sha256']}" in names for file in files)


def content_of(file: KeptFile, folders: Sequence[Folder]) -> bytes:
    """The content of a file, from the first folder that has it as it was.

    Raises ResourceError, with all reasons, if none has.
    """
    reasons = []
    for folder in folders:
        try:
            return read_stored(folder, STORED, file)
        except FileNotFoundError:
            reasons.append(f"it is not in {folder.location}")
        except StorageError as error:
            reasons.append(str(error))
    raise ResourceError(f"{file['path']} cannot be read: {'; '.join(reasons) or 'it is not here'}")
