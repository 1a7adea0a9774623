"""Writing sweeps as an archive."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Table, insert

from results.archive.atomic import atomic_path
from results.archive.chosen import ARCHIVED, Chosen
from results.database import sqlite
from results.database.connect import open_unchecked
from results.database.dialects import insert_rows
from results.database.integrity import corruptions
from results.database.url import sqlite_url
from results.errors import ArchiveError, DatabaseError
from results.schema import revisions
from results.schema.archive_note import archive_note, content_sha256, is_archive


def export(
    connection: Connection, path: Path, names: Sequence[str] = (), *, replace: bool = False
) -> dict[str, int]:
    """Writes these sweeps, or the whole database if none is named, as the archive `path`.

    Returns the rows by table. `connection` is one consistent view; of a SQLite file another one
    is taken, from which SQLite copies table by table, and hears a signal between them. See `Chosen`
    for what goes with a sweep. Weights and checkpoints stay where they are. The file appears under
    its name when it is complete; what is there is replaced only if it is an archive and `replace`.
    Memory is bounded by some thousand rows, however many there are.

    Raises UnknownSweepError; ArchiveExistsError if the target exists already; ArchiveError or
    DatabaseError if the file cannot be written, or the database breaks a rule of its tables.
    """
    chosen = Chosen(connection, names)
    in_sqlite = connection.dialect.name == "sqlite"
    source = Path(str(connection.engine.url.database)) if in_sqlite else None
    with (
        atomic_path(path, is_archive_file if replace else None) as partial,
        sqlite.foreign_errors(path, source),
        sqlite.new_file(partial, source) as archive,
    ):
        revisions.create(archive, str(path))
        if in_sqlite:
            chosen = Chosen(archive, names, sqlite.SOURCE)
            counts = {table.name: _copy(chosen, table, archive) for table in ARCHIVED}
        else:
            counts = {table.name: _insert(chosen, table, archive) for table in ARCHIVED}
        _finish(archive)
    return counts


def _copy(chosen: Chosen, table: Table, archive: Connection) -> int:
    """Has SQLite copy the rows, so that they need not pass through Python; how many there are."""
    columns = ", ".join(f'"{name}"' for name in table.columns.keys())  # noqa: SIM118
    count = 0
    for query in chosen.queries(table):
        rows = query.compile(
            archive,
            schema_translate_map={None: sqlite.SOURCE},
            render_schema_translate=True,
            compile_kwargs={"literal_binds": True},
        )
        into = f"INSERT INTO main.{table.name} ({columns})"
        count += archive.exec_driver_sql(f"{into} {rows}").rowcount
    return count


def _insert(chosen: Chosen, table: Table, archive: Connection) -> int:
    count = 0
    for rows in chosen.batches(table):
        insert_rows(archive, table, table.columns.keys(), rows)
        count += len(rows)
    return count


def _finish(archive: Connection) -> None:
    """Commits it with its note, unless it could not be imported."""
    problem = next(corruptions(archive, enforced=True), None)
    if problem is not None:
        raise ArchiveError(
            f"the database is damaged: {problem}; repair it by hand, then export again"
        )
    archive_note.create(archive)
    note = {"created_at": time.time(), "content_sha256": content_sha256(archive)}
    archive.execute(insert(archive_note).values(note))
    archive.commit()


def is_archive_file(path: Path) -> bool:
    """Whether an export wrote this file, so that another one may replace it."""
    try:
        with closing(open_unchecked(sqlite_url(path), "read")) as database:
            return database.read(is_archive)
    except DatabaseError:
        return False
