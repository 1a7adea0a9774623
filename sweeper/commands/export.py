"""`sweep export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweeper.commands.options import DEFAULT_HOME, DatabaseOption, HomeOption, home_at
from sweeper.commands.output import say


def export(
    output: Annotated[
        Path, typer.Option("--output", metavar="FOLDER", help="the archive; it must not exist yet")
    ],
    sweeps: Annotated[
        list[str], typer.Argument(metavar="[SWEEP]...", help="default: the whole database")
    ] = [],  # noqa: B006 - typer copies it
    replace: Annotated[
        bool, typer.Option("--replace", help="replace an archive that lies there")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Write whole sweeps, with all that was measured of them, as a folder of Parquet."""
    from results.archive.writing import export as write_archive
    from results.queries.reader import Reader
    from results.schema.revisions import NEWEST

    reader = Reader.open(home_at(home, db).database)
    try:
        with reader.view() as connection:
            manifest = write_archive(connection, output, sweeps, schema=NEWEST, replace=replace)
    finally:
        reader.close()
    rows = ", ".join(f"{entry.rows} {Path(entry.name).stem}" for entry in manifest.files)
    say(f"{output}: {rows}")
