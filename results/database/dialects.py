"""Statements that differ between SQLite and Postgres."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Table,
    Text,
    column,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from results.json_values import storable, to_json

ROWS_AT_ONCE = 10_000
"""How many rows of an answer are fetched together."""


def is_one_of(
    dialect: str, value: ColumnElement[Any], texts: Collection[str]
) -> ColumnElement[bool]:
    """Whether `value` is one of these texts, for "sqlite" or "postgresql".

    An ordinary IN takes a parameter for each, and both databases set a limit to their number.
    """
    unfold = func.json_each if dialect == "sqlite" else func.json_array_elements_text
    listed = literal(list(texts), JSON) if dialect != "sqlite" else literal(json.dumps(list(texts)))
    items = unfold(listed).table_valued(column("value", Text), name="listed")
    return value.in_(select(items.c.value))


def rows_as_dicts(result: Any) -> list[dict[str, Any]]:
    """All rows of a SQLAlchemy result as plain dicts, so that its transaction can end."""
    # Unlike `mappings()`, this neither looks names up in each row nor fetches the rows one by one.
    names = tuple(result.keys())
    parts = result.partitions(ROWS_AT_ONCE)
    return [dict(zip(names, row, strict=True)) for part in parts for row in part]


def upsert(connection: Connection, table: Table) -> Any:
    """An INSERT of the connection's dialect, which knows ON CONFLICT."""
    if connection.dialect.name == "postgresql":
        return postgres_insert(table)
    return sqlite_insert(table)


def insert_missing(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> int:
    """Inserts the rows whose primary key is new; returns how many these are.

    Only the primary key is let off: a row that breaks another constraint is an error.
    """
    if not rows:
        return 0
    statement = upsert(connection, table).on_conflict_do_nothing(
        index_elements=list(table.primary_key.columns)
    )
    result = connection.execute(
        statement, list(rows), execution_options={"preserve_rowcount": True}
    )
    return int(result.rowcount)


def insert_rows(
    connection: Connection, table: Table, names: Sequence[str], rows: list[tuple[Any, ...]]
) -> None:
    """Inserts rows of another database, whose values are in the order of these columns.

    There is at least one, and the transaction has begun.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
        return
    # SQLite takes numbers as they are, and tables without JSON hold numbers and short names; in the
    # others texts may come from anywhere. SQLAlchemy would look at every value.
    of_json = [i for i, name in enumerate(names) if isinstance(table.c[name].type, JSON)]
    columns = ", ".join(f'"{name}"' for name in names)
    places = ", ".join("?" for name in names)
    statement = f"INSERT INTO {table.name} ({columns}) VALUES ({places})"
    values = [_as_stored(row, of_json) for row in rows] if of_json else rows
    connection.connection.cursor().executemany(statement, values)


def _as_stored(row: Sequence[Any], of_json: Sequence[int]) -> list[Any]:
    """The row with text in place of what is JSON, and texts as `escape_text` would send them."""
    values = [storable(value) if isinstance(value, str) else value for value in row]
    for place in of_json:
        if values[place] is not None:
            values[place] = to_json(row[place])
    return values
