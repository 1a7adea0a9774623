"""What one can name in run rows: keys of a run, evaluations, and paths into its config.

`results.queries.columns` finds the same columns in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from results.errors import UnknownColumnError
from results.records import RUN_KEYS, RunRow

#: "mixed" is a config path whose values have several kinds, "empty" one that is always null.
Kind = Literal["text", "number", "bool", "list", "mixed", "empty"]

#: The keys of a run that can be named; its evaluations are named one by one.
NAMED_KEYS = tuple(key for key in RUN_KEYS if key != "evaluations")

_TEXT = ("run_id", "sweep", "state", "model", "scheme", "dataset")
_BOOL = ("trainable", "zero_stable", "consistent", "diverged")
_LIST = ("alpha", "root_moduli")
MEASURED_KEYS = (
    "test_accuracy",
    "best_test_accuracy",
    "train_accuracy",
    "generalization_gap",
    "diverged",
    "train_seconds",
    "images_per_second",
)


@dataclass(frozen=True, slots=True)
class Column:
    """One value of each run. `measured` columns are null until the run is done."""

    name: str
    kind: Kind
    measured: bool
    read: Callable[[RunRow], Any]


class Columns:
    """The columns that these runs have; a config path needs rows with a `config` key.

    A name is looked up among the run's keys first, then the evaluations, then the config.
    """

    def __init__(self, rows: Sequence[RunRow]) -> None:
        self._rows = rows
        self.run_keys = NAMED_KEYS
        self.evaluations = list(
            dict.fromkeys(e["name"] for row in rows for e in row["evaluations"])
        )

    def find(self, name: str, *, purpose: str = "column") -> Column:
        """The column of this name; raises UnknownColumnError."""
        if name in self.run_keys:
            return Column(name, kind_of_key(name), name in MEASURED_KEYS, lambda row: row[name])
        if name in self.evaluations:
            return Column(name, "number", True, lambda row: _accuracy(row, name))
        path = name.split(".")
        values = [value for row in self._rows for value in _at(row.get("config"), path)]
        if not values:
            raise UnknownColumnError(name, self.names(), purpose=purpose)
        return Column(name, kind_of_values(values), False, lambda row: _config_value(row, path))

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
        paths = dict.fromkeys(path for row in self._rows for path in _paths(row.get("config")))
        return [*self.run_keys, *self.evaluations, *(p for p in paths if p not in self.run_keys)]

    def _numeric_names(self) -> list[str]:
        return [name for name in self.names() if self.find(name).kind == "number"]


def kind_of_key(key: str) -> Kind:
    """What a key of RUN_KEYS holds."""
    if key in _TEXT:
        return "text"
    if key in _BOOL:
        return "bool"
    return "list" if key in _LIST else "number"


def kind_of_values(values: Iterable[Any]) -> Kind:
    """What a config path with these values holds."""
    kinds = {_kind_of_value(value) for value in values if value is not None}
    if not kinds:
        return "empty"
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _kind_of_value(value: Any) -> Kind:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "list" if isinstance(value, list) else "text"


def _accuracy(row: RunRow, name: str) -> float | None:
    for evaluation in row["evaluations"]:
        if evaluation["name"] == name:
            accuracy: float | None = evaluation["accuracy"]
            return accuracy
    return None


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


def _paths(config: Any, prefix: str = "") -> Iterator[str]:
    for key, value in (config or {}).items():
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
