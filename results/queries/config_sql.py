"""What stands at a path of a run's config, as SQL over `runs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, func, type_coerce

from results.schema.tables import runs

#: JSON types of numbers, as SQLite and as Postgres call them.
NUMBER_TYPES = ("integer", "real", "number")


def config_text(dialect: str, path: Sequence[str]) -> ColumnElement[str]:
    """The JSON text at this path; null if there is nothing. `dialect`: "sqlite", "postgresql"."""
    if dialect == "sqlite":
        return type_coerce(runs.c.config, Text).op("->", return_type=Text())(_sqlite_path(path))
    return cast(_postgres_value(path), Text)


def json_type(dialect: str, path: Sequence[str]) -> ColumnElement[str]:
    """What kind of JSON is at this path: "object", one of NUMBER_TYPES, ...; null if nothing is."""
    if dialect == "sqlite":
        return func.json_type(type_coerce(runs.c.config, Text), _sqlite_path(path))
    return func.json_typeof(_postgres_value(path))


def _sqlite_path(path: Sequence[str]) -> str:
    return "$" + "".join(f'."{key}"' for key in path)


def _postgres_value(path: Sequence[str]) -> ColumnElement[Any]:
    value: ColumnElement[Any] = type_coerce(runs.c.config, Text)
    for key in path:
        # Unlike #>, this takes no index of a list.
        value = value.op("->", return_type=Text())(key)
    return value
