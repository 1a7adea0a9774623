"""Checking a worker's result before anything of it is written.

A result is a file written by another process, perhaps of another version: what is wrong with it
is said here by the place in it, and not by a constraint of the database in mid-transaction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from results.errors import BadResultError
from results.json_values import finite, storable
from results.run_columns import OF_SCHEME, REPORTED, RunColumn
from results.schema.tables import blocks, epochs, probes

FORMAT = 1

_EPOCH_NUMBERS = ("learning_rate", "train_loss", "test_loss", "seconds")
_EPOCH_PERCENT = ("train_accuracy", "test_accuracy")
_PROBE_KEYS = frozenset(probes.c.keys()) - {"run_id"}
_BLOCK_KEYS = frozenset(blocks.c.keys()) - {"run_id"}

# What the columns hold on every database.
_MOST = 2**63 - 1
_MOST_32 = 2**31 - 1

_KINDS: dict[str, type | tuple[type, ...]] = {
    "a number": (int, float),
    "a whole number": int,
    "true or false": bool,
    "text": str,
    "a list": list,
    "an object": dict,
}


@dataclass(frozen=True, slots=True)
class CheckedEvaluation:
    """One evaluation of a result: the row of its config, and the row of what was measured."""

    config: dict[str, Any]
    measured: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CheckedResult:
    """A result as rows: columns of `runs`, rows of the tables of what was measured."""

    columns: dict[str, Any]
    rows: dict[Table, list[dict[str, Any]]]
    evaluations: list[CheckedEvaluation]
    provenance: dict[str, Any]
    first_epoch: int | None


class _Reader:
    """Takes typed values out of one JSON object; an error names the place."""

    def __init__(self, run_id: str, value: Any, place: str) -> None:
        self.run_id = run_id
        self.place = place
        if not isinstance(value, dict):
            raise BadResultError(run_id, f"{place or 'it'} is not a JSON object")
        self.values = value

    def problem(self, key: str, problem: str) -> BadResultError:
        where = f"{self.place}.{key}" if self.place else key
        return BadResultError(self.run_id, f"{where} {problem}")

    def take(self, key: str, what: str, *, null: bool = False) -> Any:
        """The value of this key, which is one of `_KINDS`, or null where that may be."""
        if key not in self.values:
            raise self.problem(key, "is missing")
        value, kind = self.values[key], _KINDS[what]
        if value is None and null:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            expected = f"{what} or null" if null else what
            raise self.problem(key, f"is {value!r:.80}, where {expected} is expected")
        return value

    def number(self, key: str) -> float | None:
        """A number or null; null for one that is not finite."""
        value = finite(self.take(key, "a number", null=True))
        return None if value is None else float(value)

    def percent(self, key: str) -> float | None:
        value = self.number(key)
        if value is not None and not 0 <= value <= 100:
            raise self.problem(key, f"is {value}, where percent from 0 to 100 are expected")
        return value

    def whole(self, key: str, least: int = 0, most: int = _MOST) -> int:
        value = self.take(key, "a whole number")
        if value < least:
            raise self.problem(key, f"is {value}, where at least {least} is expected")
        if value > most:
            raise self.problem(key, f"is {value}, where at most {most} is expected")
        return int(value)

    def text(self, key: str) -> str:
        return str(self.take(key, "text"))

    def finite_number(self, key: str) -> float | None:
        """A finite number or null."""
        value = self.take(key, "a number", null=True)
        if value is None:
            return None
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.problem(key, f"is {number}, where null stands for what is not finite")
        return number

    def finite_numbers(self, key: str) -> list[float | None]:
        """A list of finite numbers and nulls."""
        items = {f"{key}[{i}]": item for i, item in enumerate(self.take(key, "a list"))}
        within = _Reader(self.run_id, items, self.place)
        return [within.finite_number(place) for place in items]

    def only(self, known: frozenset[str]) -> None:
        """Raises BadResultError if there are other keys."""
        if not self.values.keys() <= known:
            key = min(map(str, self.values.keys() - known))
            raise self.problem(f"{key!r:.80}", f"is unknown (known: {', '.join(sorted(known))})")

    def some_text(self, key: str) -> str:
        """Text that is not empty."""
        text = self.text(key)
        if not text:
            raise self.problem(key, "is empty")
        return text

    def column(self, column: RunColumn) -> Any:
        """A value of the run's column; of numbers null for one that is not finite."""
        key, null = column.name, column.reported == "or null"
        match column.kind:
            case _ if null and self.values.get(key, "") is None:
                return None
            case "percent":
                return self.percent(key)
            case "number" | "time":
                return self.number(key)
            case "whole":
                return self.whole(key, most=_MOST if column.wide else _MOST_32)
            case "flag":
                return self.take(key, "true or false", null=null)
            case "text":
                return self.take(key, "text", null=null)
            case _:
                return finite(self.take(key, "a list", null=null))

    def of_block(self, column: RunColumn) -> Any:
        """A block's value in the column; null where its coefficients are not finite."""
        key = column.name
        match column.kind:
            case "numbers":
                # There are always coefficients, but of some nothing follows.
                known = key == "alpha" or self.take(key, "a list", null=True)
                return None if known is None else self.finite_numbers(key)
            case "whole":
                order = self.take(key, "a whole number", null=True)
                return None if order is None else self.whole(key, -_MOST_32, _MOST_32)
            case "flag":
                return self.take(key, "true or false", null=True)
            case _:
                return self.finite_number(key)

    def once(self, key: str, value: Any, seen: set[Any]) -> None:
        """Raises BadResultError if the value of this key is among those seen before."""
        if value in seen:
            raise self.problem(key, f"is {value!r:.80} a second time")
        seen.add(value)

    def objects(self, key: str) -> list[_Reader]:
        items = self.take(key, "a list")
        return [_Reader(self.run_id, item, f"{key}[{i}]") for i, item in enumerate(items)]


def check_result(run_id: str, attempt: int, result: Any) -> CheckedResult:
    """The content of `result.json` for this attempt, as rows.

    `probes` and `blocks` may be missing: older versions, and trainers of others, have none.

    Raises BadResultError if it belongs to another run or attempt, lacks a key, or has a value
    of the wrong kind.
    """
    reader = _Reader(run_id, result, "")
    if reader.whole("format") != FORMAT:
        raise reader.problem("format", f"is {result['format']}, and {FORMAT} is what is read here")
    if reader.text("run_id") != run_id:
        raise reader.problem("run_id", f"is {result['run_id']!r}: it belongs to another run")
    if reader.whole("attempt") != attempt:
        raise reader.problem("attempt", f"is {result['attempt']}, where {attempt} is expected")
    columns = {column.name: reader.column(column) for column in REPORTED}
    provenance = reader.take("provenance", "an object")
    first_epoch = provenance.get("first_epoch")
    if first_epoch is not None:
        origin = _Reader(run_id, provenance, "provenance")
        first_epoch = origin.whole("first_epoch", most=_MOST_32)
    return CheckedResult(
        columns=columns,
        rows={table: read(reader) for table, read in _ROWS.items()},
        evaluations=_evaluations(reader),
        provenance=finite(provenance),
        first_epoch=first_epoch,
    )


def check_evaluations(run_id: str, evaluations: Sequence[Any]) -> list[CheckedEvaluation]:
    """Evaluations measured after the run was done, as rows; raises BadResultError."""
    return _evaluations(_Reader(run_id, {"evaluations": list(evaluations)}, ""))


def _epochs(reader: _Reader) -> list[dict[str, Any]]:
    rows = []
    seen: set[int] = set()
    for item in reader.objects("epochs"):
        row: dict[str, Any] = {"run_id": reader.run_id, "epoch": item.whole("epoch", 1, _MOST_32)}
        row |= {key: item.number(key) for key in _EPOCH_NUMBERS}
        row |= {key: item.percent(key) for key in _EPOCH_PERCENT}
        item.once("epoch", row["epoch"], seen)
        rows.append(row)
    return rows


def _probes(reader: _Reader) -> list[dict[str, Any]]:
    rows = []
    seen: set[tuple[Any, ...]] = set()
    for item in reader.objects("probes") if "probes" in reader.values else ():
        item.only(_PROBE_KEYS)
        # As they will be stored, so that two that become one there are seen here.
        row: dict[str, Any] = {key: storable(item.some_text(key)) for key in ("probe", "quantity")}
        row["epoch"] = item.whole("epoch", most=_MOST_32)
        row["layer"] = storable(item.text("layer"))
        if tuple(row.values()) in seen:
            what = "for {probe} {quantity} after epoch {epoch}".format_map(row)
            raise item.problem("layer", f"is {row['layer']!r:.80} a second time {what}")
        seen.add(tuple(row.values()))
        rows.append({"run_id": reader.run_id, **row, "value": item.finite_number("value")})
    return rows


def _blocks(reader: _Reader) -> list[dict[str, Any]]:
    rows = []
    seen: set[int] = set()
    for item in reader.objects("blocks") if reader.values.get("blocks") is not None else ():
        item.only(_BLOCK_KEYS)
        block = item.whole("block", 1, _MOST_32)
        item.once("block", block, seen)
        of_scheme = {column.name: item.of_block(column) for column in OF_SCHEME}
        rows.append({"run_id": reader.run_id, "block": block, **of_scheme})
    return rows


_ROWS: dict[Table, Callable[[_Reader], list[dict[str, Any]]]] = {
    epochs: _epochs,
    probes: _probes,
    blocks: _blocks,
}


def _evaluations(reader: _Reader) -> list[CheckedEvaluation]:
    checked = []
    seen: set[str] = set()
    for item in reader.objects("evaluations"):
        evaluation_id = item.text("evaluation_id")
        if len(evaluation_id) != 16:
            raise item.problem("evaluation_id", f"is {evaluation_id!r}, not 16 hex digits")
        item.once("evaluation_id", evaluation_id, seen)
        config = {
            "evaluation_id": evaluation_id,
            "name": item.text("name"),
            "kind": item.text("kind"),
            "level": item.number("level"),
            "config": finite(item.take("config", "an object")),
        }
        measured = {
            "run_id": reader.run_id,
            "evaluation_id": evaluation_id,
            "accuracy": item.percent("accuracy"),
            "loss": item.number("loss"),
        }
        checked.append(CheckedEvaluation(config, measured))
    return checked
