"""Which files a run keeps, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from results.provenance import files_left_out
from results.queries.queries import Queries
from results.records import Row
from sweep_plugins import did_you_mean
from sweeper.errors import RequestError
from sweeper.home import Home
from sweeper.run_files.running import folder_of, written_so_far


@dataclass(frozen=True)
class KeptFiles:
    """The files of a run, or some of them.

    Attributes:
        state: of the run.
        attempt: that made its result, as `Queries.attempt_rows` has it; None if there is none.
        files: by path, as `Queries.file_rows` has them; of a running run, what it has written so
            far, without their SHA-256.
        folder: in which these lie.
    """

    run_id: str
    state: str
    attempt: Row | None
    files: list[Any]
    folder: Path | None = None

    @property
    def archive(self) -> str | None:
        """That brought the run, which has the list of the files alone."""
        return None if self.attempt is None else self.attempt["imported_from"]

    @property
    def left_out(self) -> list[str]:
        """Sentences about files that the run wrote and does not keep."""
        return [] if self.attempt is None else files_left_out(self.attempt["provenance"])


def stayed_away(archive: object) -> str:
    """What is to be said of the files of a run that this archive brought."""
    return f"the run came with {archive}, and its files stayed where it trained"


def list_files(home: Home, run: str, patterns: Sequence[str] = ()) -> KeptFiles:
    """The files of a run whose path, or a folder of it, one of the patterns names; or all.

    Args:
        run: its id, or a start of it that no other has.
        patterns: paths, in which *, ? and [...] stand for other characters.

    Raises UnknownRunError, and RequestError for a pattern that no file has.
    """
    with Queries.open(home.database) as queries, queries.one_view():
        run_id, state, attempts = queries.attempts_of(run)
        rows = queries.file_rows(run_ids=[run_id])
    folder = folder_of(run_id, attempts) if state == "running" else None
    if folder is not None:
        rows = written_so_far(folder)
    for pattern in patterns:
        if not any(_matches(row["path"], pattern) for row in rows):
            hint = did_you_mean(pattern, [row["path"] for row in rows])
            raise RequestError(
                f"run {run_id} keeps no file {pattern!r}{hint}; `sweep files"
                f" {run_id}{home.options}` lists those that it keeps ({len(rows)})"
            )
    chosen = [
        row
        for row in rows
        if not patterns or any(_matches(row["path"], pattern) for pattern in patterns)
    ]
    made_it = [attempt for attempt in attempts if attempt["state"] == "done"]
    return KeptFiles(run_id, state, made_it[-1] if made_it else None, chosen, folder)


def _matches(path: str, pattern: str) -> bool:
    parts = PurePosixPath(path)
    named = map(str, (parts, *parts.parents[:-1]))
    return any(fnmatchcase(each, pattern.rstrip("/")) for each in named)
