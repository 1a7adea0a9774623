"""What one can name in run rows: keys of a run, evaluations, and paths into its config.

`results.queries.columns` finds the same columns in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from results.errors import UnknownColumnError
from results.json_values import leaves
from results.metrics import Metric, metric_of_config, metric_of_evaluation
from results.records import RunRow
from results.run_columns import COLUMN, NAMED_KEYS, RunColumn

#: What a column holds, as far as filters and metrics have to know. "mixed" is a config path whose
#: values have several kinds, "empty" one that is always null.
ValueKind = Literal["text", "number", "bool", "list", "mixed", "empty"]


@dataclass(frozen=True, slots=True)
class Named:
    """One value of each run. `measured` columns are null until the run is done.

    `metric` says what its numbers are, if it holds any.
    """

    name: str
    kind: ValueKind
    measured: bool
    metric: Metric


@dataclass(frozen=True, slots=True)
class Column(Named):
    """The value as `read` finds it in the run's row."""

    read: Callable[[RunRow], Any]


class Columns:
    """The columns that these runs have; a config path needs rows with a `config` key.

    A name is looked up among the run's keys first, then the evaluations, then the config.
    """

    def __init__(self, rows: Sequence[RunRow]) -> None:
        self._rows = rows
        self.evaluations = list(
            dict.fromkeys(e["name"] for row in rows for e in row["evaluations"])
        )

    def find(self, name: str, *, purpose: str = "column") -> Column:
        """The column of this name; raises UnknownColumnError."""
        if name in NAMED_KEYS:
            known = COLUMN[name]
            return Column(name, kind_of_key(known), known.measured, known, lambda row: row[name])
        if name in self.evaluations:
            metric = metric_of_evaluation(name)
            return Column(name, "number", True, metric, lambda row: _accuracy(row, name))
        path = name.split(".")
        values = [value for row in self._rows for value in _at(row.get("config"), path)]
        if not values:
            raise UnknownColumnError(name, self.names(), purpose=purpose)
        return Column(
            name,
            kind_of_values(values),
            False,
            metric_of_config(name),
            lambda row: _config_value(row, path),
        )

    def metric(self, name: str) -> Column:
        """The column of this name, if it holds numbers; raises UnknownColumnError."""
        try:
            column = self.find(name, purpose="metric")
        except UnknownColumnError:
            column = None
        if column is None or column.kind not in ("number", "empty"):
            raise UnknownColumnError(name, self._numeric_names(), purpose="metric")
        return column

    def names(self) -> list[str]:
        """All names that `find` knows."""
        return [*NAMED_KEYS, *self.evaluations, *self.config_paths()]

    def config_paths(self) -> list[str]:
        """Every path into the config that `find` knows."""
        configs = (row.get("config") or {} for row in self._rows)
        paths = dict.fromkeys(path for config in configs for path in leaves(config))
        return [path for path in paths if path not in NAMED_KEYS]

    def _numeric_names(self) -> list[str]:
        return [name for name in self.names() if self.find(name).kind == "number"]


def kind_of_key(column: RunColumn) -> ValueKind:
    """What a column of a run holds."""
    if column.numeric:
        return "number"
    if column.kind == "flag":
        return "bool"
    return "text" if column.kind == "text" else "list"


def kind_of_values(values: Iterable[Any]) -> ValueKind:
    """What a config path with these values holds."""
    kinds = {_kind_of_value(value) for value in values if value is not None}
    if not kinds:
        return "empty"
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _kind_of_value(value: Any) -> ValueKind:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "list" if isinstance(value, list) else "text"


def _accuracy(row: RunRow, name: str) -> float | None:
    return next((e["accuracy"] for e in row["evaluations"] if e["name"] == name), None)


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
