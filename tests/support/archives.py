"""Archives in tests: writing one, reading it, changing what it says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

import databases
from results.archive import parquet, writing
from results.archive.chosen import ARCHIVED
from results.archive.merged import Merged
from results.archive.reading import open_archive
from results.database.connect import connect
from results.database.url import sqlite_url
from results.schema.archive_note import archive_note
from results.schema.tables import IMPORT_MARKS, imports, metadata, sweeps
from results.store.store import Store


@contextmanager
def viewing(url: str) -> Iterator[Connection]:
    """A view of the database, for as long as the block runs."""
    with closing(connect(url, "read")) as database, database.reading() as connection:
        yield connection


def export_from(url: str, path: Path, names: Sequence[str] = (), **options: Any) -> dict[str, int]:
    with viewing(url) as connection:
        return writing.export(connection, path, names, **options)


def export_parquet_from(url: str, folder: Path, names: Sequence[str] = ()) -> dict[str, int]:
    with viewing(url) as connection:
        return parquet.export(connection, folder, names)


def import_into(url: str, path: Path, names: Mapping[str, str] | None = None) -> Merged:
    with open_archive(path) as archive, Store.open(url) as store:
        return store.merge(archive, names)


def merge_databases(source: str, target: str, path: Path) -> Merged:
    export_from(source, path)
    return import_into(target, path)


def names(path: Path) -> tuple[str, ...]:
    """The sweeps of a sound archive."""
    with open_archive(path) as archive:
        return archive.sweeps


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    engine = databases.plain_engine(sqlite_url(path))
    with engine.begin() as connection:
        found = metadata.tables[table]
        query = select(found).order_by(*found.primary_key)
        return [dict(row) for row in connection.execute(query).mappings()]


def content(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of an archive, by which two of them are compared.

    Without what says where it was imported from.
    """
    marks = {table.name: {c.name for c in IMPORT_MARKS if c.table is table} for table in ARCHIVED}
    return {
        name: [{key: row[key] for key in row.keys() - of_import} for row in rows(path, name)]
        for name, of_import in marks.items()
        if name != imports.name
    }


def change(path: Path, *statements: str) -> None:
    """Changes an archive past all rules of its tables, as an expert could."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for table in metadata.tables:
            _remove_rules(database, table)
        for statement in statements:
            database.execute(statement)


def _remove_rules(database: sqlite3.Connection, table: str) -> None:
    for (view,) in database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'view'"
    ).fetchall():
        database.execute(f"DROP VIEW {view}")
    database.execute(f"CREATE TABLE loose AS SELECT * FROM {table}")
    database.execute(f"DROP TABLE {table}")
    database.execute(f"ALTER TABLE loose RENAME TO {table}")


def make_ordinary(path: Path) -> None:
    """Takes the note away by which an archive differs from any other database."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"DROP TABLE {archive_note.name}")


def sweep_id(path: Path, name: str) -> int:
    """The number of a sweep in an archive."""
    (found,) = (row[sweeps.c.id.name] for row in rows(path, "sweeps") if row["name"] == name)
    return int(found)
