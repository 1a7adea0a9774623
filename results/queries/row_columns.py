"""What one can name in run rows: keys of a run, evaluations, metrics, and paths into its config.

Of further numbers (`results.queries.further_numbers`) those that the rows were asked for.
`results.queries.columns` finds the same columns in the database.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

from typing_extensions import override

from results.errors import UnknownColumnError
from results.json_values import leaves, storable
from results.metrics import Metric, metric_of_config, metric_of_evaluation, metric_of_trainer
from results.queries.config_options import CONFIG_OPTIONS, ValueKind
from results.queries.further_numbers import metric_of
from results.records import RunRow
from results.run_columns import COLUMN, NAMED_KEYS, TAG, RunColumn
from results.schema.bounds import NUMBER

# Each key is one more level of an expression, which SQLAlchemy compiles by recursion.
DEEPEST_PATH = 50
"""How many keys a path into the config can have."""


@dataclass(frozen=True, slots=True)
class Named:
    """One value of each run. `measured` columns are null until the run is done.

    `metric` says what its numbers are, if it holds any. Those that were measured or computed are
    known but for rounding, the others to the last digit.
    """

    name: str
    kind: ValueKind
    measured: bool
    metric: Metric

    @property
    def rounded(self) -> bool:
        """Whether rounding may have changed the last digits of its numbers."""
        return self.measured or (isinstance(self.metric, RunColumn) and self.metric.computed)


@dataclass(frozen=True, slots=True)
class Column(Named):
    """The value as `read` finds it in the run's row; `reported` if trainers named it."""

    read: Callable[[RunRow], Any]
    reported: bool = False

    def values(self, row: RunRow) -> list[Any]:
        """Those by which the run is grouped: one, but for the sweeps and tags of a run."""
        if self.name == "sweep":
            return sweeps_of(row) or [""]
        if self.name == TAG.name:
            return list(row["tags"]) or [""]
        return [self.read(row)]


ColumnT = TypeVar("ColumnT", bound=Named)


class NamedColumns(ABC, Generic[ColumnT]):
    """The columns that some runs have.

    A name is looked up among the run's keys first, then the evaluations, then the metrics that
    trainers reported, then the losses of `results.queries.further_numbers`, then the config, a path
    of keys joined by dots, and last what probes measured. Keys that JSON has to escape, and those
    with a dot, cannot be named. An option that a config may have is a column of runs
    without it too, in which it is null.
    """

    evaluations: list[str]

    @property
    @abstractmethod
    def metrics(self) -> list[str]:
        """The names that trainers reported numbers under."""

    @abstractmethod
    def further_numbers(self) -> list[str]:
        """Losses, and what probes measured: names to choose from."""

    @abstractmethod
    def look_up(self, name: str) -> ColumnT | None:
        """The column of this name; None if no run has it."""

    @abstractmethod
    def configs(self) -> Iterable[Mapping[str, Any]]:
        """The configs of the runs."""

    def find(self, name: str, *, purpose: str = "column") -> ColumnT:
        """The column of this name; raises UnknownColumnError."""
        column = self.look_up(name)
        if column is None:
            known = self._known([*NAMED_KEYS, TAG.name], self.set_paths())
            raise UnknownColumnError(name, known, purpose=purpose, others=CONFIG_OPTIONS)
        return column

    def metric(self, name: str) -> ColumnT:
        """The column of this name, if it holds numbers; raises UnknownColumnError.

        A number out of all bounds counts as null: a sum or a square of it may fail.
        """
        column = self.look_up(name)
        if column is None or column.kind not in ("number", "empty"):
            keys = [key for key in NAMED_KEYS if COLUMN[key].numeric]
            kinds = self.config_kinds(options=False).items()
            paths = [path for path, kind in kinds if kind == "number"]
            others = [path for path, kind in CONFIG_OPTIONS.items() if kind == "number"]
            known = self._known(keys, paths)
            raise UnknownColumnError(name, known, purpose="metric", others=others)
        return column

    def set_paths(self) -> list[str]:
        """The paths of what the configs say, without options that none of them has."""
        return list(self.config_kinds(options=False))

    def _known(self, keys: Iterable[str], paths: Iterable[str]) -> list[str]:
        """What these runs have that others have not comes first."""
        return [*self.evaluations, *self.metrics, *keys, *self.further_numbers(), *paths]

    def config_kinds(self, *, options: bool = True) -> dict[str, ValueKind]:
        """Every path that can be named, with what its values are: reads every config.

        Those that some run has come first; then `options` that a run may have.
        """
        values: dict[str, dict[str, Any]] = {}
        for config in self.configs():
            for path, value in leaves(config, can_be_named).items():
                # One value of each kind is enough.
                values.setdefault(path, {})[type(value).__name__] = value
        taken = {*NAMED_KEYS, TAG.name, *self.evaluations, *self.metrics}
        return {
            path: kind_of_path(path, values.get(path, {}).values())
            for path in dict.fromkeys((*values, *(CONFIG_OPTIONS if options else ())))
            if path not in taken and path not in self.evaluations and path not in self.metrics
        }


class Columns(NamedColumns[Column]):
    """The columns that these runs have; a config path needs rows with a `config` key."""

    def __init__(self, rows: Sequence[RunRow]) -> None:
        self._rows = rows
        self.evaluations = list(
            dict.fromkeys(e["name"] for row in rows for e in row["evaluations"])
        )

    @cached_property
    def metrics(self) -> list[str]:
        """The names that trainers reported numbers under."""
        return sorted({metric["name"] for row in self._rows for metric in row["metrics"]})

    @cached_property
    def _further(self) -> dict[str, None]:
        return dict.fromkeys(name for row in self._rows[:1] for name in row.get("numbers", ()))

    @override
    def further_numbers(self) -> list[str]:
        return list(self._further)

    @override
    def look_up(self, name: str) -> Column | None:
        if name == TAG.name:
            return Column(name, "text", False, TAG, lambda row: ",".join(row["tags"]))
        if name in NAMED_KEYS:
            known = COLUMN[name]
            return Column(name, kind_of_key(known), known.measured, known, lambda row: row[name])
        if name in self.evaluations:
            metric = metric_of_evaluation(name)
            return Column(name, "number", True, metric, lambda row: _accuracy(row, name))
        if name in self.metrics:
            said = [m for row in self._rows for m in row["metrics"] if m["name"] == name]
            metric = metric_of_trainer(name, said)
            return Column(name, "number", True, metric, lambda row: _reported(row, name), True)
        if name in self._further:
            return Column(name, "number", True, metric_of(name), lambda row: row["numbers"][name])
        path = name.split(".")
        values = [value for row in self._rows for value in _at(row.get("config"), path)]
        if not values and name not in CONFIG_OPTIONS:
            return None
        kind, metric = kind_of_path(name, values), metric_of_config(name)
        return Column(name, kind, False, metric, lambda row: _config_value(row, path))

    @override
    def metric(self, name: str) -> Column:
        column = super().metric(name)
        read = column.read

        def bounded(row: RunRow) -> Any:
            value = read(row)
            return value if value in NUMBER else None

        return replace(column, read=bounded)

    @override
    def configs(self) -> Iterable[Mapping[str, Any]]:
        return (row.get("config") or {} for row in self._rows)


def sweeps_of(row: RunRow) -> list[str]:
    """The names of the run's sweeps, of those that its row was asked for."""
    return [name for name in row["sweep"].split(",") if name]


def can_be_named(key: str) -> bool:
    """Whether a key of a config can stand in a path."""
    # SQLite's paths know no escapes inside of quotes before 3.45.
    plain = json.dumps(key, ensure_ascii=False) == f'"{key}"' and storable(key) == key
    return plain and "." not in key


def kind_of_key(column: RunColumn) -> ValueKind:
    """What a column of a run holds."""
    if column.numeric:
        return "number"
    if column.kind == "flag":
        return "bool"
    return "text" if column.kind == "text" else "list"


def kind_of_path(path: str, values: Iterable[Any]) -> ValueKind:
    """What a config path with these values holds; without any, what it may."""
    kinds = {_kind_of_value(value) for value in values if value is not None}
    if not kinds:
        return CONFIG_OPTIONS.get(path, "empty")
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _kind_of_value(value: Any) -> ValueKind:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "list" if isinstance(value, list) else "text"


def _accuracy(row: RunRow, name: str) -> float | None:
    return next((e["accuracy"] for e in row["evaluations"] if e["name"] == name), None)


def _reported(row: RunRow, name: str) -> float | None:
    return next((m["value"] for m in row["metrics"] if m["name"] == name), None)


def _at(config: Any, path: Sequence[str]) -> list[Any]:
    """The value at `path` in a list, or an empty list if there is none, or an object."""
    value = config
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return []
        value = value[key]
    return [] if isinstance(value, dict) else [value]


def _config_value(row: RunRow, path: Sequence[str]) -> Any:
    found = _at(row.get("config"), path)
    return found[0] if found else None
