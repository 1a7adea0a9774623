"""What a question to the database can name, as SQL expressions.

Names become bound parameters, never SQL text. The columns are those that
`results.queries.row_columns` finds in run rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, Text, case, cast, func, select, type_coerce

from results.errors import UnknownColumnError
from results.json_values import storable
from results.metrics import metric_of_config, metric_of_evaluation
from results.queries.row_columns import Named, ValueKind, kind_of_key, kind_of_values
from results.queries.selection import Selection
from results.run_columns import COLUMN, NAMED_KEYS
from results.schema.tables import evaluations, runs

# Each key of a path is one more level of an expression, which SQLAlchemy compiles by recursion.
_DEEPEST_PATH = 50


@dataclass(frozen=True, slots=True, eq=False)
class StoredColumn(Named):
    """The value as `sql` gives it in a query over `runs`.

    `decode` makes a value of what that query returns; None if it is the value already. `number`
    gives a numeric column as a float. `evaluation_id` is set if it is the accuracy of that
    evaluation.
    """

    sql: ColumnElement[Any]
    decode: Callable[[Any], Any] | None = None
    number: ColumnElement[float] | None = None
    evaluation_id: str | None = None

    def value(self, stored: Any) -> Any:
        """The value that a query gave as `stored`."""
        return stored if self.decode is None else self.decode(stored)


class StoredColumns:
    """The columns that the runs of a selection have.

    A name is looked up among the run's keys first, then the evaluations, then the config: a path
    of keys joined by dots. Keys that JSON has to escape, and those with a dot, cannot be named.
    """

    def __init__(self, connection: Connection, selection: Selection) -> None:
        self._connection = connection
        self._selection = selection
        self._found: dict[str, StoredColumn] = {}
        self.evaluations = [evaluation.name for evaluation in selection.evaluations]
        self._ids = {e.name: e.evaluation_id for e in selection.evaluations}

    def find(self, name: str, *, purpose: str = "column") -> StoredColumn:
        """The column of this name; raises UnknownColumnError."""
        if name not in self._found:
            column = self._look_up(name)
            if column is None:
                raise UnknownColumnError(name, self._names(), purpose=purpose)
            self._found[name] = column
        return self._found[name]

    def metric(self, name: str) -> StoredColumn:
        """The column of this name, if it holds numbers; raises UnknownColumnError."""
        column = self._found.get(name) or self._look_up(name)
        if column is None or column.kind not in ("number", "empty"):
            raise UnknownColumnError(name, self._numeric_names(), purpose="metric")
        self._found[name] = column
        return column

    def stored_values(self, column: StoredColumn) -> list[Any]:
        """The different values of the column, as stored."""
        query = select(column.sql).select_from(runs).where(*self._selection.holds(runs.c.run_id))
        return list(self._connection.execute(query.distinct()).scalars())

    def _look_up(self, name: str) -> StoredColumn | None:
        if name in NAMED_KEYS:
            return self._of_key(name)
        if name in self._ids:
            return _of_evaluation(name, self._ids[name])
        path = name.split(".")
        if len(path) > _DEEPEST_PATH or not all(map(_can_be_named, path)):
            return None
        return self._of_path(name, path)

    def _of_key(self, name: str) -> StoredColumn:
        known = COLUMN[name]
        kind, measured = kind_of_key(known), known.measured
        if name == "sweep":
            sweeps = self._selection.sweep_ids()
            return StoredColumn(name, kind, measured, known, sweeps, self._selection.sweep_names)
        stored = runs.c[known.stored]
        if kind == "list":
            return StoredColumn(name, kind, measured, known, cast(stored, Text), _from_json)
        number = cast(stored, Float) if kind == "number" else None
        return StoredColumn(name, kind, measured, known, stored, number=number)

    def _of_path(self, name: str, path: Sequence[str]) -> StoredColumn | None:
        dialect = self._connection.dialect.name
        sql = _config_text(dialect, path)
        metric = metric_of_config(name)
        column = StoredColumn(name, "mixed", False, metric, sql, _from_config)
        texts = [text for text in self.stored_values(column) if not _is_missing(text)]
        if not texts:
            return None
        kind = kind_of_values(map(_from_config, texts))
        # Only a number is cast: a run may have an object at this path.
        number = case((_json_type(dialect, path).in_(_NUMBER_TYPES), cast(sql, Float)))
        return StoredColumn(name, kind, False, metric, sql, _from_config, number)

    def _config_kinds(self) -> dict[str, ValueKind]:
        """Every path that can be named, with what its values are: reads every config."""
        values: dict[str, dict[str, Any]] = {}
        query = select(runs.c.config).where(*self._selection.holds(runs.c.run_id))
        rows = self._connection.execute(
            query.order_by(runs.c.run_id), execution_options={"yield_per": 1000}
        )
        for config in rows.scalars():
            for path, value in _leaves(config):
                # One value of each kind is enough.
                values.setdefault(path, {})[type(value).__name__] = value
        return {
            path: kind_of_values(found.values())
            for path, found in values.items()
            if path not in NAMED_KEYS and path not in self._ids
        }

    def _names(self) -> list[str]:
        return [*NAMED_KEYS, *self.evaluations, *self._config_kinds()]

    def _numeric_names(self) -> list[str]:
        keys = [key for key in NAMED_KEYS if COLUMN[key].numeric]
        paths = [path for path, kind in self._config_kinds().items() if kind == "number"]
        return [*keys, *self.evaluations, *paths]


def _of_evaluation(name: str, evaluation_id: str) -> StoredColumn:
    accuracy = (
        select(evaluations.c.accuracy)
        .where(evaluations.c.run_id == runs.c.run_id, evaluations.c.evaluation_id == evaluation_id)
        .correlate(runs)
        .scalar_subquery()
    )
    metric = metric_of_evaluation(name)
    return StoredColumn(
        name, "number", True, metric, accuracy, number=accuracy, evaluation_id=evaluation_id
    )


def _from_json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _from_config(text: str | None) -> Any:
    value = _from_json(text)
    return None if isinstance(value, dict) else value


def _is_missing(text: str | None) -> bool:
    return text is None or text.lstrip().startswith("{")


def _can_be_named(key: str) -> bool:
    # SQLite's paths know no escapes inside of quotes before 3.45.
    plain = json.dumps(key, ensure_ascii=False) == f'"{key}"' and storable(key) == key
    return plain and "." not in key


def _leaves(config: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in config.items():
        if not _can_be_named(key):
            continue
        if isinstance(value, dict):
            found += _leaves(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


# As SQLite and as Postgres call them.
_NUMBER_TYPES = ("integer", "real", "number")


def _config_text(dialect: str, path: Sequence[str]) -> ColumnElement[str]:
    """The JSON text at this path of the config; null if there is nothing."""
    config = type_coerce(runs.c.config, Text)
    if dialect == "sqlite":
        return config.op("->", return_type=Text())(_sqlite_path(path))
    return cast(_postgres_value(path), Text)


def _json_type(dialect: str, path: Sequence[str]) -> ColumnElement[str]:
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
