"""`sweep files`: the files that a run keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweeper.commands import options
from sweeper.commands.output import say, write_table
from sweeper.errors import RequestError


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
    """The files that a run's trainer left in job.files, listed, or with --output fetched."""
    from sweeper.run_files.fetching import fetch
    from sweeper.run_files.listing import list_files, stayed_away
    from sweeper.run_files.reading import are_in, folders_of

    if output is not None and format != "table":
        raise RequestError("--output FOLDER writes the files: --format is for the list of them")
    laboratory = options.home_at(home, db, storage)
    found = list_files(laboratory, run, patterns)
    if output is None and (found.files or format != "table"):
        shown = [{key: row[key] for key in ("path", "size", "sha256")} for row in found.files]
        write_table(shown, format, None)
    elif output is not None and found.files:
        fetched = fetch(found, laboratory, output, say)
        there = f"; there already: {fetched.same}" if fetched.same else ""
        say(f"{output}: files written: {fetched.written}{there}")
    if not found.files:
        say(f"run {found.run_id} {_without_files(found.state)}")
    if found.folder is not None and found.files:
        say(f"run {found.run_id} is running: so far; what lies there when it is done is kept")
    if output is None and found.files and found.attempt is not None and found.archive is not None:
        folders = folders_of(found.attempt, laboratory.storage)
        if not are_in(found.files, folders):
            say(f"this list came alone: {stayed_away(found.archive)}")
    for sentence in () if patterns else found.left_out:
        say(f"not kept: {sentence}")


def _without_files(state: str) -> str:
    if state == "done":
        return "keeps no files"
    if state == "running":
        return "is running, and no file of it is to be seen here so far; it keeps them when done"
    return f"keeps no files; it is {state}, and files are kept of a done run"
