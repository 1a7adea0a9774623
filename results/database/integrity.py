"""What is wrong with the content of a database: looked for once a question to it has failed.

The store writes only what fits the tables. But a SQLite file takes any value in any column, and
whoever edits it by hand, or copies it while it is written, can break every rule of the tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    Table,
    Text,
    cast,
    exists,
    func,
    select,
    type_coerce,
)

from results.database.base import Database
from results.schema.json_columns import JSON_KINDS
from results.schema.tables import metadata, sweep_specs, sweeps

_LONGEST_SHOWN = 60


def find_corruption(database: Database) -> str | None:
    """The first value that breaks a rule of the tables, in words; None if there is none.

    Reads everything: it takes seconds for each GB.
    """
    with database.reading() as connection:
        return next(_corruptions(connection), None)


def _corruptions(connection: Connection) -> Iterator[str]:
    sqlite = connection.dialect.name == "sqlite"
    for table in metadata.sorted_tables:
        for column in table.columns:
            if sqlite:
                yield from _of_another_type(connection, table, column)
            if isinstance(column.type, JSON):
                yield from _of_another_kind(connection, table, column)
    if sqlite:
        # Postgres keeps to its constraints, whoever writes.
        for table_name, _, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            yield f"a row of {table_name} refers to nothing in {parent}"
        for (problem,) in connection.exec_driver_sql("PRAGMA integrity_check(1)"):
            if problem != "ok":
                yield str(problem)
    without_spec = select(sweeps.c.name).where(
        ~exists().where(sweep_specs.c.sweep_id == sweeps.c.id)
    )
    for name in connection.execute(without_spec).scalars():
        yield f"sweep {_shown(name)} has no spec"


def _of_another_type(connection: Connection, table: Table, column: Column[Any]) -> Iterator[str]:
    raw = type_coerce(column, Text)
    kinds = [*_types(column), *(["null"] if column.nullable else [])]
    for key, value in _rows(connection, table, raw, func.typeof(raw).not_in(kinds)):
        yield f"{table.name}.{column.name} is {_shown(value)}{key}"


def _types(column: Column[Any]) -> tuple[str, ...]:
    """As SQLite's typeof calls them."""
    if isinstance(column.type, Float):
        return ("real", "integer")
    return ("integer",) if isinstance(column.type, Integer | Boolean) else ("text",)


def _of_another_kind(connection: Connection, table: Table, column: Column[Any]) -> Iterator[str]:
    raw = cast(column, Text) if connection.dialect.name != "sqlite" else type_coerce(column, Text)
    for key, text in _rows(connection, table, raw, column.is_not(None)):
        try:
            value = json.loads(text)
            if column in JSON_KINDS:
                JSON_KINDS[column].validate_python(value)
        except (ValueError, RecursionError, ValidationError):
            yield f"{table.name}.{column.name} is {_shown(text)}{key}"


def _rows(
    connection: Connection, table: Table, value: ColumnElement[Any], condition: ColumnElement[bool]
) -> Iterator[tuple[str, Any]]:
    """Where these rows are, and their value."""
    keys = list(table.primary_key)
    query = select(value, *(type_coerce(key, Text) for key in keys)).where(condition)
    for found, *named in connection.execute(query, execution_options={"yield_per": 1000}):
        names = (f"{key.name} {_shown(n)}" for key, n in zip(keys, named, strict=True))
        yield f" where {', '.join(names)}" if keys else "", found


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
