"""`sweep files`: the files that a run keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweep_plugins import did_you_mean
from sweeper.commands import options
from sweeper.commands.output import say, unwritable, write_table
from sweeper.errors import RequestError, ResourceError

if TYPE_CHECKING:
    from results.records import Row


def files(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run's id, or the start of it")],
    patterns: Annotated[
        list[str],
        typer.Argument(
            metavar="[PATTERN]...", help="paths, folders, or patterns with * and ?; default: all"
        ),
    ] = [],  # noqa: B006 - typer copies it
    output: Annotated[
        Path | None,
        options.path_option("--output", "FOLDER", "write them there, each checked by its SHA-256"),
    ] = None,
    storage: options.StorageOption = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
    format: options.FormatOption = "table",  # noqa: A002
) -> None:
    """The files that a run's trainer left in job.files: a list of them, or with --output they."""
    from results.provenance import files_left_out
    from results.queries.queries import Queries

    if output is not None and format != "table":
        raise RequestError("--output FOLDER writes the files: --format is for the list of them")
    laboratory = options.home_at(home, db, storage)
    with Queries.open(laboratory.database) as queries, queries.one_view():
        run_id, state, attempts = queries.attempts_of(run)
        rows = queries.file_rows([run_id])
    found = _chosen(run_id, rows, patterns, laboratory.options)
    if output is None:
        write_table(
            [{k: row[k] for k in ("path", "size", "sha256")} for row in found], format, None
        )
    else:
        _fetch(found, attempts[-1] if attempts else {}, laboratory.storage, output)
    if not rows:
        why = "" if state == "done" else f"; it is {state}, and files are kept of a done run"
        say(f"run {run_id} keeps no files{why}")
    if attempts and not patterns:
        for sentence in files_left_out(attempts[-1]["provenance"]):
            say(f"not kept: {sentence}")


def _chosen(run_id: str, rows: Sequence[Row], patterns: Sequence[str], where: str) -> list[Row]:
    """Those whose path, or a folder of it, one of the patterns names.

    Raises RequestError for a pattern that none has.
    """
    if not patterns:
        return list(rows)
    chosen: dict[str, Row] = {}
    for pattern in patterns:
        found = {row["path"]: row for row in rows if _matches(row["path"], pattern.rstrip("/"))}
        if not found:
            known = [row["path"] for row in rows]
            hint = did_you_mean(pattern, known)
            raise RequestError(
                f"run {run_id} keeps no file {pattern!r}{hint}; `sweep files {run_id}{where}` lists"
                f" those that it keeps ({len(known)})"
            )
        chosen |= found
    return [row for row in rows if row["path"] in chosen]


def _matches(path: str, pattern: str) -> bool:
    parts = PurePosixPath(path)
    named = map(str, (parts, *parts.parents[:-1]))
    return any(fnmatchcase(each, pattern) for each in named)


def _fetch(found: Sequence[Row], attempt: Mapping[str, Any], named: str, output: Path) -> None:
    from sweeper.run_files.fetching import fetch
    from sweeper.run_files.reading import folders_of

    if not found:
        return
    kept: list[Any] = list(found)
    try:
        fetched = fetch(kept, folders_of(attempt, named), output, say)
    except ResourceError as error:
        raise ResourceError(f"{error}{_elsewhere(attempt)}") from None
    except OSError as error:
        raise unwritable(output, error) from error
    there = f"; there already: {fetched.same}" if fetched.same else ""
    say(f"{output}: files written: {fetched.written}{there}")


def _elsewhere(attempt: Mapping[str, Any]) -> str:
    """Where the files may be, if they are not here."""
    if (archive := attempt["imported_from"]) is not None:
        return f"; the run came with {archive}, and its files stayed where it trained"
    host = (attempt["provenance"] or {}).get("host")
    return f"; it trained on {host}" if isinstance(host, str) else ""
