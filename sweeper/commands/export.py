"""`sweep export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from results.metrics import counted
from sweeper.commands.du import readable
from sweeper.commands.options import (
    DEFAULT_HOME,
    DatabaseOption,
    HomeOption,
    home_at,
    path_option,
)
from sweeper.commands.output import say
from sweeper.errors import RequestError

FORMATS = ("sqlite", "parquet")


def export(
    output: Annotated[
        Path, path_option("--output", "PATH", "the new file, or the new folder of Parquet files")
    ],
    sweeps: Annotated[
        list[str], typer.Argument(metavar="[SWEEP]...", help="default: the whole database")
    ] = [],  # noqa: B006 - typer copies it
    format: Annotated[  # noqa: A002
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="sqlite: one file, which `sweep import` reads; parquet: files for other programs",
        ),
    ] = "sqlite",
    replace: Annotated[bool, typer.Option("--replace", help="replace an existing archive")] = False,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Write whole sweeps, with all that was measured of them, as one SQLite file."""
    from results.errors import UnknownFormatError
    from results.queries.queries import Queries

    if format not in FORMATS:
        raise UnknownFormatError(format, FORMATS)
    if format == "parquet" and replace:
        raise RequestError("--replace replaces a file; a folder of Parquet goes where nothing is")
    with Queries.open(home_at(home, db).database) as queries, queries.view() as connection:
        if format == "parquet":
            from results.archive import parquet

            counts, digest = parquet.export(connection, output, sweeps), ""
        else:
            from results.archive import writing
            from results.archive.plain_file import sha256_of

            counts = writing.export(connection, output, sweeps, replace=replace)
            digest = f"; SHA-256 {sha256_of(output)}"
    held = f"{counted(counts['sweeps'], 'sweep')} with {counted(counts['runs'], 'run')}"
    say(f"{output}: {held}, {readable(_size(output))}{digest}")


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())
