"""Checking a worker's result before anything of it is written.

A result is a file written by another process, perhaps of another version: what is wrong with it
is said here by the place in it, and not by a constraint of the database in mid-transaction.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Float, Table

from results.errors import BadResultError
from results.json_values import finite, storable
from results.metrics import DIRECTIONS
from results.run_columns import COLUMN, OF_SCHEME, REPORTED, TAG, RunColumn
from results.schema.bounds import (
    LONGEST_NAME,
    LONGEST_SCHEME,
    MOST_BLOCKS,
    MOST_DECIMALS,
    NUMBER,
    PERCENT,
    RANGES,
    Range,
    problem_inside,
)
from results.schema.tables import (
    REPORTED_LIVE,
    blocks,
    epoch_metrics,
    epochs,
    evaluation_configs,
    evaluations,
    files,
    metrics,
    probes,
    runs,
)
from sweep_plugins.file_path import MOST_FILES, problem_of_path
from sweep_plugins.metric_name import (
    METRIC_NAME,
    METRIC_NAME_RULE,
    MOST_METRIC_VALUES,
    MOST_METRICS,
)

FORMAT = 1

_ID = re.compile("[0-9a-f]{16}")
_SHA256 = re.compile("[0-9a-f]{64}")
_EPOCH_NUMBERS = tuple(column for column in epochs.columns if isinstance(column.type, Float))
_PROBE_KEYS = frozenset(probes.c.keys()) - {"run_id"}
_BLOCK_KEYS = frozenset(blocks.c.keys()) - {"run_id"}
_DEFINITION_KEYS = frozenset({"better", "unit", "decimals", "label"})
_EPOCH_METRIC_KEYS = frozenset({"epoch", "values"})
_FILE_KEYS = frozenset(files.c.keys()) - {"run_id"}

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

    def unexpected(self, key: str, value: Any, expected: str) -> BadResultError:
        return self.problem(key, f"is {_brief(value)}, where {expected} is expected")

    def take(self, key: str, what: str, *, null: bool = False) -> Any:
        """The value of this key, which is one of `_KINDS`, or null where that may be."""
        if key not in self.values:
            raise self.problem(key, "is missing")
        value, kind = self.values[key], _KINDS[what]
        if value is None and null:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.unexpected(key, value, f"{what} or null" if null else what)
        return value

    def number(self, key: str, within: Range) -> float | None:
        """A number in this range, or null; null for one that is not finite."""
        value = finite(self.take(key, "a number", null=True))
        if value is None:
            return None
        if value not in within:
            low, high = within
            what = "percent" if within is PERCENT else "a number"
            raise self.unexpected(key, value, f"{what} from {low:g} to {high:g}")
        return float(value)

    def number_of(self, column: Column[Any]) -> float | None:
        """The number, or null, that goes into this column of a table."""
        return self.number(column.name, RANGES[column])

    def whole(self, key: str, least: int = 0, most: int = _MOST) -> int:
        value = self.take(key, "a whole number")
        if value < least:
            raise self.unexpected(key, value, f"at least {least}")
        if value > most:
            raise self.unexpected(key, value, f"at most {most}")
        return int(value)

    def text(self, key: str, *, null: bool = False) -> str | None:
        text = self.take(key, "text", null=null)
        if text is not None and len(text) > LONGEST_NAME:
            raise self.problem(
                key, f"has {len(text):,} characters, where at most {LONGEST_NAME:,} are expected"
            )
        return None if text is None else str(text)

    def object(self, key: str) -> dict[str, Any]:
        """An object with anything in it that the database can hold."""
        value = self.take(key, "an object")
        if problem := problem_inside(value):
            raise self.problem(key, problem)
        return dict(finite(value))

    def finite_number(self, key: str) -> float | None:
        """A number, or null for one that is not finite."""
        value = self.take(key, "a number", null=True)
        if isinstance(value, float) and not math.isfinite(value):
            raise self.problem(key, f"is {value}, where null stands for what is not finite")
        return self.number(key, NUMBER)

    def items(self, key: str, most: int) -> _Reader:
        """The items of a list, by their places."""
        items = self.take(key, "a list")
        if len(items) > most:
            raise self.problem(
                key, f"has {len(items):,} items, where at most {most:,} are expected"
            )
        by_place = {f"{key}[{i}]": item for i, item in enumerate(items)}
        return _Reader(self.run_id, by_place, self.place)

    def finite_numbers(self, key: str) -> list[float | None]:
        """A list of finite numbers and nulls."""
        items = self.items(key, LONGEST_SCHEME)
        return [items.finite_number(place) for place in items.values]

    def coefficients(self, key: str) -> list[list[float | None]]:
        """A list of each block's list of numbers; null for one that is not finite."""
        of_blocks = self.items(key, MOST_BLOCKS)
        of_block = (of_blocks.items(place, LONGEST_SCHEME) for place in of_blocks.values)
        return [[items.number(place, NUMBER) for place in items.values] for items in of_block]

    def only(self, known: frozenset[str]) -> None:
        """Raises BadResultError if there are other keys."""
        if not self.values.keys() <= known:
            key = min(map(str, self.values.keys() - known))
            raise self.problem(_brief(key), f"is unknown (known: {', '.join(sorted(known))})")

    def some_text(self, key: str) -> str:
        """Text that is not empty."""
        text = self.text(key)
        if not text:
            raise self.problem(key, "is empty")
        return text

    def id(self, key: str) -> str:
        """16 hex digits."""
        value = self.take(key, "text")
        if not _ID.fullmatch(value):
            raise self.problem(key, f"is {_brief(value)}, not 16 hex digits")
        return str(value)

    def column(self, column: RunColumn) -> Any:
        """A value of the run's column; of numbers null for one that is not finite."""
        key, null = column.name, column.reported == "or null"
        match column.kind:
            case _ if null and self.values.get(key, "") is None:
                return None
            case "percent" | "number" | "time":
                return self.number(key, RANGES[runs.c[column.stored]])
            case "whole":
                return self.whole(key, most=_MOST if column.wide else _MOST_32)
            case "flag":
                return self.take(key, "true or false", null=null)
            case "text":
                return self.text(key, null=null)
            case _:
                return self.coefficients(key)

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

    def metric_name(self, key: str) -> str:
        """The key, if a trainer may give this name to what it reports."""
        if not METRIC_NAME.fullmatch(key):
            raise self.problem(
                _brief(key),
                f"is no name of a metric: {METRIC_NAME_RULE}",
            )
        if key in COLUMN or key == TAG.name:
            raise self.problem(key, "is the name of something else that every run has")
        return key

    def once(self, key: str, value: Any, seen: set[Any]) -> None:
        """Raises BadResultError if the value of this key is among those seen before."""
        if value in seen:
            raise self.problem(key, f"is {_brief(value)} a second time")
        seen.add(value)

    def objects(self, key: str) -> list[_Reader]:
        items = self.take(key, "a list")
        return [_Reader(self.run_id, item, f"{key}[{i}]") for i, item in enumerate(items)]


def check_result(run_id: str, attempt: int, result: Any) -> CheckedResult:
    """The content of `result.json` for this attempt, as rows.

    `probes`, `blocks`, `metrics`, `files` and what belongs to these may be missing: older
    versions, and trainers that have none of it, say none.

    Raises BadResultError if it belongs to another run or attempt, lacks a key, or has a value
    of the wrong kind.
    """
    reader = _Reader(run_id, result, "")
    reader.values = _with_columns_among_metrics(reader.values)
    if reader.whole("format") != FORMAT:
        raise reader.problem("format", f"is {result['format']}, and {FORMAT} is what is read here")
    if reader.text("run_id") != run_id:
        raise reader.problem("run_id", f"is {_brief(result['run_id'])}: it belongs to another run")
    if reader.whole("attempt") != attempt:
        raise reader.unexpected("attempt", result["attempt"], str(attempt))
    columns = {column.name: reader.column(column) for column in REPORTED}
    provenance = reader.object("provenance")
    first_epoch = provenance.get("first_epoch")
    if first_epoch is not None:
        origin = _Reader(run_id, provenance, "provenance")
        first_epoch = origin.whole("first_epoch", most=_MOST_32)
    return CheckedResult(
        columns=columns,
        rows={table: read(reader) for table, read in _ROWS.items()},
        evaluations=_evaluations(reader),
        provenance=provenance,
        first_epoch=first_epoch,
    )


def _with_columns_among_metrics(result: dict[str, Any]) -> dict[str, Any]:
    """The result with what it has under the name of a column, among its metrics, in its place."""
    reported = result.get("metrics")
    if not isinstance(reported, dict):
        return result
    columns = {c.name for c in REPORTED} & reported.keys() - result.keys()
    others = {name: value for name, value in reported.items() if name not in columns}
    return result | {name: reported[name] for name in columns} | {"metrics": others}


def check_evaluations(run_id: str, evaluations: Sequence[Any]) -> list[CheckedEvaluation]:
    """Evaluations measured after the run was done, as rows; raises BadResultError."""
    return _evaluations(_Reader(run_id, {"evaluations": list(evaluations)}, ""))


def check_epochs(
    run_id: str, of_run: Sequence[Any], by_name: Sequence[Any]
) -> dict[Table, list[dict[str, Any]]]:
    """Rows of REPORTED_LIVE, from what a result has as `epochs` and `epoch_metrics`.

    Raises BadResultError.
    """
    reader = _Reader(run_id, {"epochs": list(of_run), "epoch_metrics": list(by_name)}, "")
    return {table: _ROWS[table](reader) for table in REPORTED_LIVE}


def _epochs(reader: _Reader) -> list[dict[str, Any]]:
    rows = []
    seen: set[int] = set()
    for item in reader.objects("epochs"):
        row: dict[str, Any] = {"run_id": reader.run_id, "epoch": item.whole("epoch", 1, _MOST_32)}
        row |= {column.name: item.number_of(column) for column in _EPOCH_NUMBERS}
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
        row["layer"] = storable(str(item.text("layer")))
        if tuple(row.values()) in seen:
            what = "for {probe} {quantity} after epoch {epoch}".format_map(row)
            raise item.problem("layer", f"is {_brief(row['layer'])} a second time {what}")
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


def _metrics(reader: _Reader) -> list[dict[str, Any]]:
    """Of `metrics`, with what `metric_definitions` says of them."""
    reported = _Reader(reader.run_id, reader.values.get("metrics", {}), "metrics")
    said = _Reader(reader.run_id, reader.values.get("metric_definitions", {}), "metric_definitions")
    if len(reported.values) > MOST_METRICS:
        raise reader.problem(
            "metrics",
            f"has {len(reported.values):,} names, where at most {MOST_METRICS:,} are expected",
        )
    return [
        {
            "run_id": reader.run_id,
            "name": reported.metric_name(name),
            "value": reported.number(name, NUMBER),
            **_definition(said, name),
        }
        for name in reported.values
    ]


def _definition(said: _Reader, name: str) -> dict[str, Any]:
    """What the trainer said of its metric of this name, all of which may be null."""
    if said.values.get(name) is None:
        return dict.fromkeys(_DEFINITION_KEYS)
    item = _Reader(said.run_id, said.values[name], f"{said.place}.{name}")
    item.only(_DEFINITION_KEYS)
    better, decimals = item.values.get("better"), item.values.get("decimals")
    if better is not None and better not in DIRECTIONS:
        raise item.unexpected("better", better, f"{' or '.join(map(repr, DIRECTIONS))} or null")
    return {
        "better": better,
        "decimals": None if decimals is None else item.whole("decimals", most=MOST_DECIMALS),
        **{
            key: None if item.values.get(key) is None else item.some_text(key)
            for key in ("unit", "label")
        },
    }


def _epoch_metrics(reader: _Reader) -> list[dict[str, Any]]:
    rows = []
    seen: set[int] = set()
    for item in reader.objects("epoch_metrics") if "epoch_metrics" in reader.values else ():
        item.only(_EPOCH_METRIC_KEYS)
        epoch = item.whole("epoch")
        item.once("epoch", epoch, seen)
        values = _Reader(reader.run_id, item.take("values", "an object"), f"{item.place}.values")
        for name in values.values:
            value = values.number(values.metric_name(name), NUMBER)
            rows.append({"run_id": reader.run_id, "name": name, "epoch": epoch, "value": value})
        if len(rows) > MOST_METRIC_VALUES:
            raise reader.problem("epoch_metrics", f"has more than {MOST_METRIC_VALUES:,} values")
    return rows


def _files(reader: _Reader) -> list[dict[str, Any]]:
    rows = []
    seen: set[str] = set()
    found = reader.objects("files") if "files" in reader.values else []
    if len(found) > MOST_FILES:
        raise reader.problem(
            "files", f"has {len(found):,} items, where at most {MOST_FILES:,} are kept"
        )
    for item in found:
        item.only(_FILE_KEYS)
        path = item.some_text("path")
        if (problem := problem_of_path(path)) is not None:
            raise item.problem("path", f"is {_brief(path)}: {problem}")
        item.once("path", path, seen)
        sha256 = item.some_text("sha256")
        if not _SHA256.fullmatch(sha256):
            raise item.problem("sha256", f"is {_brief(sha256)}, not 64 hex digits")
        size = item.whole("size")
        rows.append({"run_id": reader.run_id, "path": path, "size": size, "sha256": sha256})
    return rows


_ROWS: dict[Table, Callable[[_Reader], list[dict[str, Any]]]] = {
    epochs: _epochs,
    probes: _probes,
    blocks: _blocks,
    metrics: _metrics,
    epoch_metrics: _epoch_metrics,
    files: _files,
}


def _evaluations(reader: _Reader) -> list[CheckedEvaluation]:
    checked = []
    seen: set[str] = set()
    for item in reader.objects("evaluations"):
        evaluation_id = item.id("evaluation_id")
        item.once("evaluation_id", evaluation_id, seen)
        config = {
            "evaluation_id": evaluation_id,
            "name": item.text("name"),
            "kind": item.text("kind"),
            "level": item.number_of(evaluation_configs.c.level),
            "config": item.object("config"),
        }
        measured = {
            "run_id": reader.run_id,
            "evaluation_id": evaluation_id,
            "accuracy": item.number_of(evaluations.c.accuracy),
            "loss": item.number_of(evaluations.c.loss),
        }
        checked.append(CheckedEvaluation(config, measured))
    return checked


def _brief(value: Any) -> str:
    """The value for a message, whatever it is: short, and without its depths."""
    try:
        return _BRIEF.repr(value)
    except ValueError:  # Python writes no number of more than some thousand digits
        return "a number of very many digits"


_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxlong = _BRIEF.maxother = 80
_BRIEF.maxlevel = 3
