"""Writing the files of a run into a folder of the user's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sweep_plugins.file_path import problem_of_path
from sweeper.errors import RequestError, ResourceError, unwritable
from sweeper.home import Home
from sweeper.permissions import usual_files
from sweeper.run_files.listing import KeptFiles, stayed_away
from sweeper.run_files.reading import content_of, folders_of
from sweeper.run_files.running import content_so_far
from trainers.own.files import KeptFile
from trainers.storage.atomic_write import write_atomically

_MOST_NAMED = 5

Content = bytes | Iterable[bytes]


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
    read, elsewhere = _source(kept, home)
    fetched = Fetched()
    missing = 0
    try:
        output = output.resolve()
        there = _there(kept, output)
        for file in kept.files:
            path = output / file["path"]
            if there[file["path"]] == "same":
                fetched.same += 1
                continue
            try:
                content = read(file)
                if os.path.lexists(path):
                    # Or two names are one here, as where the case of letters is none.
                    raise ResourceError(
                        f"{file['path']} is not written: something is in its place by now"
                    )
                with usual_files():
                    write_atomically(path, content)
            except ResourceError as error:
                tell(str(error))
                missing += 1
                continue
            fetched.written += 1
    except OSError as error:
        raise unwritable(output, error) from error
    if missing:
        raise ResourceError(
            f"{missing} of {len(kept.files)} files could not be written to {output}; written:"
            f" {fetched.written}{elsewhere}"
        )
    return fetched


def _source(kept: KeptFiles, home: Home) -> tuple[Callable[[KeptFile], Content], str]:
    """What reads a file, and what to say where some cannot be read."""
    if (folder := kept.folder) is not None:
        return lambda file: content_so_far(folder / file["path"], file["path"]), ""
    attempt = kept.attempt
    folders = [] if attempt is None else folders_of(attempt, home.storage)
    elsewhere = "" if attempt is None else _elsewhere(attempt)
    return lambda file: content_of(file, folders), elsewhere


def _there(kept: KeptFiles, output: Path) -> dict[str, str]:
    """What is in the place of each file. Raises RequestError if something else is."""
    there = {file["path"]: _what_is_there(output, file, kept.folder) for file in kept.files}
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


def _what_is_there(output: Path, file: KeptFile, so_far: Path | None) -> str:
    """ "nothing", the "same" or an "other" one; a link that leads out of the folder is another.

    Args:
        so_far: the folder in which a running run's file is, of which no SHA-256 is known.
    """
    path = output / file["path"]
    if problem_of_path(file["path"]) or not path.parent.resolve().is_relative_to(output):
        return "other"
    if not os.path.lexists(path):
        return "nothing"
    if path.is_symlink() or not path.is_file():
        return "other"
    with path.open("rb") as content:
        if so_far is not None:
            pieces = content_so_far(so_far / file["path"], file["path"])
            try:
                return "same" if _is_same(content, pieces) else "other"
            except ResourceError:
                return "nothing"  # that it could be: the other one has gone
        if path.stat().st_size != file["size"]:
            return "other"
        found = hashlib.file_digest(content, "sha256").hexdigest()
    return "same" if found == file["sha256"] else "other"


def _is_same(content: BinaryIO, pieces: Iterator[bytes]) -> bool:
    """Whether all that is left of a file is these."""
    return all(content.read(len(piece)) == piece for piece in pieces) and not content.read(1)
