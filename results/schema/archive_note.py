"""The note by which an archive differs from another sweep database: a table with one row."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from math import nan
from typing import Any

from pydantic import BaseModel, FiniteFloat
from sqlalchemy import Column, Connection, Float, MetaData, String, Table, exists, inspect, select

from results.schema.tables import (
    CODE_OF_ATTEMPTS,
    IMPORT_MARKS,
    NOTES,
    TAGS,
    code_states,
    epoch_metrics,
    files,
    imports,
    metadata,
    metrics,
)

_ROWS_AT_ONCE = 1_000

_LATER = frozenset({metrics, epoch_metrics, files, code_states, *TAGS, *NOTES})
"""Tables that schema 0004 did not have. They count where they have rows, so that an archive of that
time has the hash that it had then; and so do the columns that refer to them."""

#: When it was written (seconds since the epoch, UTC), and the hash of its content, so that what
#: was damaged on its way is not taken for what was measured.
archive_note = Table(
    "sweep_archive",
    MetaData(),
    Column("created_at", Float, nullable=False),
    Column("content_sha256", String, nullable=False),
)


class ArchiveNote(BaseModel):
    """The row of `archive_note`."""

    created_at: FiniteFloat
    content_sha256: str


def is_archive(connection: Connection) -> bool:
    """Whether an export made this database, and nothing has changed its schema since."""
    return connection.dialect.name == "sqlite" and inspect(connection).has_table(archive_note.name)


def content_sha256(connection: Connection) -> str:
    """The SHA-256 of every row of a SQLite database, 64 hex digits."""
    found = hashlib.sha256()
    empty = {table for table in _LATER if connection.scalar(select(~exists().select_from(table)))}
    for table, columns in _HASHED:
        if table in empty:
            continue
        if code_states in empty:
            columns = [column for column in columns if column not in CODE_OF_ATTEMPTS]
        found.update(table.name.encode())
        key = ", ".join(f'"{column.name}"' for column in table.primary_key)
        names = ", ".join(f'"{column.name}"' for column in columns)
        cursor = connection.connection.cursor()  # rows as they are, of which there may be millions
        cursor.execute(f'SELECT {names} FROM "{table.name}" ORDER BY {key}')
        while part := cursor.fetchmany(_ROWS_AT_ONCE):
            for column, values in zip(columns, zip(*part, strict=True), strict=True):
                found.update(_bytes(column, values))
    return found.hexdigest()


def _hashed() -> list[tuple[Table, list[Column[Any]]]]:
    """Tables and columns in an order that an archive of schema 0004 has too.

    Where a row was imported from says nothing about what it says, and 0004 did not know it.
    """
    found = [
        (table, [column for column in table.columns if column not in IMPORT_MARKS])
        for table in metadata.sorted_tables
        if table is not imports
    ]
    refers = {table: any(column.foreign_keys for column in columns) for table, columns in found}
    return sorted(found, key=lambda item: (refers[item[0]], item[0].name))


_HASHED = _hashed()


def _bytes(column: Column[Any], values: Sequence[Any]) -> bytes:
    if isinstance(column.type, Float):  # most of a large archive, and slow to write in digits
        if None in values:
            values = [nan if value is None else value for value in values]
        return struct.pack(f"<{len(values)}d", *values)
    return json.dumps(values, default=repr).encode()
