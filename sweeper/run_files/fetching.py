"""Writing the files of a run into a folder of the user's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sweep_plugins.file_path import problem_of_path
from sweeper.errors import RequestError, ResourceError
from sweeper.permissions import usual_files
from sweeper.run_files.reading import content_of
from trainers.own.files import KeptFile
from trainers.storage import Folder
from trainers.storage.atomic_write import write_atomically

_MOST_NAMED = 5


@dataclass
class Fetched:
    """How many files were written, and how many were there already."""

    written: int = 0
    same: int = 0


def fetch(
    files: Sequence[KeptFile],
    folders: Sequence[Folder],
    output: Path,
    tell: Callable[[str], None],
) -> Fetched:
    """Write files into the folder `output`, each atomically; what is there with it stays.

    Args:
        folders: where the files may lie.
        tell: called with a sentence about each file that cannot be read.

    Raises:
        RequestError: something else is in the place of a file; nothing was written.
        ResourceError: some files cannot be read; the others were written.
        OSError: the folder cannot be written.
    """
    output = output.resolve()
    there = {file["path"]: _what_is_there(output, file) for file in files}
    if others := [path for path, what in there.items() if what == "other"]:
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        raise RequestError(
            f"{output} has something else in the place of {', '.join(others[:_MOST_NAMED])}{more}:"
            " name another folder, or move it away"
        )
    fetched = Fetched()
    missing = 0
    for file in files:
        if there[file["path"]] == "same":
            fetched.same += 1
            continue
        try:
            content = content_of(file, folders)
        except ResourceError as error:
            tell(str(error))
            missing += 1
            continue
        with usual_files():
            write_atomically(output / file["path"], content)
        fetched.written += 1
    if missing:
        raise ResourceError(
            f"{missing} of {len(files)} files cannot be read; written to {output}:"
            f" {fetched.written}"
        )
    return fetched


def _what_is_there(output: Path, file: KeptFile) -> Literal["nothing", "same", "other"]:
    """In the place of a file; a link that leads out of the folder is something else."""
    path = output / file["path"]
    if problem_of_path(file["path"]) or not path.parent.resolve().is_relative_to(output):
        return "other"
    if not os.path.lexists(path):
        return "nothing"
    if path.is_symlink() or not path.is_file() or path.stat().st_size != file["size"]:
        return "other"
    with path.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    return "same" if found == file["sha256"] else "other"
