"""Writing the files of a run into a folder of the user's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep_plugins.file_path import problem_of_path
from sweeper.errors import RequestError, ResourceError, unwritable
from sweeper.home import Home
from sweeper.permissions import usual_files
from sweeper.run_files.listing import KeptFiles, stayed_away
from sweeper.run_files.reading import content_of, folders_of
from sweeper.run_files.running import as_they_are, content_so_far
from trainers.own.files import KeptFile
from trainers.storage.atomic_write import write_atomically

_MOST_NAMED = 5


@dataclass
class Fetched:
    """How many files were written, and how many were there already."""

    written: int = 0
    same: int = 0


def fetch(kept: KeptFiles, home: Home, output: Path, tell: Callable[[str], None]) -> Fetched:
    """Write files into the folder `output`, each atomically; what is there with it stays.

    Args:
        tell: called with a sentence about each file that cannot be read or written.

    Raises:
        RequestError: something else is in the place of a file, and nothing was written; or the
            folder cannot be written.
        ResourceError: some files could not be, and the others were written.
    """
    files, read, elsewhere = _source(kept, home)
    fetched = Fetched()
    missing = len(kept.files) - len(files)
    try:
        output = output.resolve()
        there = _there(files, output)
        for file in files:
            if there[file["path"]] == "same":
                fetched.same += 1
                continue
            try:
                content = read(file)
            except ResourceError as error:
                tell(str(error))
                missing += 1
                continue
            path = output / file["path"]
            if os.path.lexists(path):
                # Made meanwhile; or two names are one here, as where the case of letters is none.
                tell(f"{file['path']} is not written: something is in its place by now")
                missing += 1
                continue
            with usual_files():
                write_atomically(path, content)
            fetched.written += 1
    except OSError as error:
        raise unwritable(output, error) from error
    if missing:
        raise ResourceError(
            f"{missing} of {len(kept.files)} files could not be written to {output}; written:"
            f" {fetched.written}{elsewhere}"
        )
    return fetched


def _source(
    kept: KeptFiles, home: Home
) -> tuple[Sequence[KeptFile], Callable[[KeptFile], bytes], str]:
    """The files, what reads one of them, and what to say where some cannot be read."""
    if (folder := kept.folder) is not None:
        return as_they_are(folder, kept.files), lambda file: content_so_far(file, folder), ""
    if (attempt := kept.attempt) is None:
        return [], lambda file: b"", ""
    folders = folders_of(attempt, home.storage)
    return kept.files, lambda file: content_of(file, folders), _elsewhere(attempt)


def _there(files: Sequence[KeptFile], output: Path) -> dict[str, str]:
    """What is in the place of each file. Raises RequestError if something else is."""
    there = {file["path"]: _what_is_there(output, file) for file in files}
    others = [path for path, what in there.items() if what == "other"]
    if others:
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        raise RequestError(
            f"{output} has something else in the place of {', '.join(others[:_MOST_NAMED])}{more}:"
            " name another folder, or move it away"
        )
    return there


def _elsewhere(attempt: Mapping[str, Any]) -> str:
    """Where the files may be, if they are not here."""
    if (archive := attempt["imported_from"]) is not None:
        return f"; {stayed_away(archive)}"
    host = (attempt["provenance"] or {}).get("host")
    return f"; it trained on {host}" if isinstance(host, str) else ""


def _what_is_there(output: Path, file: KeptFile) -> str:
    """ "nothing", the "same" or an "other" one; a link that leads out of the folder is another."""
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
