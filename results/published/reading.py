"""Published tables from the CSV files in `data/`; docs/published.md has the format.

`papers.csv` and `recipes.csv` have what the tables name, `PAPER/TABLE.csv` is one table each. The
columns are the fields of `results.published.records`, and their types say how a cell is read.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from fractions import Fraction
from functools import cache
from importlib import resources
from types import NoneType
from typing import Any, get_args, get_type_hints

from results.published.records import Paper, PublishedRow, PublishedTable, Recipe
from results.published.units import UNITS

_DATA = resources.files("results.published") / "data"
_OF_THE_TABLE = ("number", "caption", "notes")
_MEASURE = re.compile(r"(?P<metric>\w+) \((?P<unit>.+)\)")
_WORDS = "words"  # where a unit would be: kept as printed, and no number


def table_names() -> list[str]:
    """Papers in the order of papers.csv, tables by their number."""
    return [
        f"{paper}/{file.name.removesuffix('.csv')}"
        for paper in _papers()
        for file in sorted((_DATA / paper).iterdir(), key=lambda file: (len(file.name), file.name))
    ]


@cache
def read_table(name: str) -> PublishedTable:
    """The table in the file of this name. Raises as `parse_table`."""
    return parse_table(name, (_DATA / f"{name}.csv").read_text(encoding="utf-8"))


def parse_table(name: str, text: str, paper: Paper | None = None) -> PublishedTable:
    """The table that the text of a CSV file says.

    Args:
        name: "PAPER/TABLE".
        paper: where it was printed; None for a paper of papers.csv.

    Raises ValueError, which names the table and the row, for what the format does not have.
    """
    lines = text.splitlines()
    head: dict[str, list[str]] = {}
    while lines[0].startswith("# "):
        key, _, value = lines.pop(0).removeprefix("# ").partition(": ")
        head.setdefault(key, []).append(value)
    shared = {key: value for key, (value, *_) in head.items() if key not in _OF_THE_TABLE}
    rows: list[PublishedRow] = []
    columns, *printed = csv.reader(lines)
    for number, line in enumerate(printed, 1):
        try:
            cells = _cells(columns, line)
            if twice := shared.keys() & cells.keys():
                raise ValueError(f"{', '.join(twice)} stands above the table and in it")
            rows += _rows({column: text for column, text in (cells | shared).items() if text})
        except (TypeError, ValueError) as error:
            raise ValueError(f"published table {name}, row {number}: {error}") from error
    return PublishedTable(
        name=name,
        paper=paper or _papers()[name.partition("/")[0]],
        number=head["number"][0] if "number" in head else None,
        caption=head["caption"][0],
        rows=tuple(rows),
        notes=tuple(head.get("notes", ())),
    )


@cache
def _papers() -> dict[str, Paper]:
    return _named(Paper, "papers.csv")


@cache
def _recipes() -> dict[str, Recipe]:
    return _named(Recipe, "recipes.csv")


def _named(record: Any, file: str) -> dict[str, Any]:
    lines = (_DATA / file).read_text(encoding="utf-8").splitlines()
    columns, *rest = csv.reader(lines)
    named = (_cells(columns, line) for line in rest)
    return {cells.pop("name"): _record(record, cells) for cells in named}


_PARSERS: Mapping[Any, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: lambda text: float(Fraction(text)),
    bool: {"yes": True, "no": False}.__getitem__,
    tuple[str, ...]: lambda text: tuple(text.split("; ")),
    tuple[float, ...]: lambda text: tuple(float(Fraction(number)) for number in text.split()),
    tuple[Fraction, ...]: lambda text: tuple(map(Fraction, text.split())),
    Recipe: lambda name: _recipes()[name],
}


def _cells(columns: Sequence[str], line: Sequence[str]) -> dict[str, str]:
    if len(line) != len(columns):
        raise ValueError(f"{len(line)} cells under {len(columns)} columns")
    return dict(zip(columns, line, strict=True))


def _rows(cells: dict[str, str]) -> Iterator[PublishedRow]:
    """The numbers of one printed line, from its filled cells."""
    measures = [match for column in list(cells) if (match := _MEASURE.fullmatch(column))]
    printed = [
        (match["metric"], match["unit"], cells.pop(match[0]), cells.pop(f"{match[1]} std", None))
        for match in measures
    ]
    if {"network.alpha", "network.beta"} <= cells.keys() and "network.scheme" not in cells:
        alpha = ", ".join(cells["network.alpha"].split())
        cells["network.scheme"] = f"{{alpha: [{alpha}], beta: {cells['network.beta']}}}"
    subject = _fields(PublishedRow, cells)
    if "root_moduli" in subject:
        subject["root_moduli"] = tuple(sorted(subject["root_moduli"], reverse=True))
    for metric, unit, value, std in printed:
        if unit != _WORDS:
            number = _number(metric, unit, value, std)
            yield PublishedRow(**subject, metric=metric, unit=unit, **number)


def _number(metric: str, unit_name: str, value: str, std: str | None) -> dict[str, Any]:
    if unit_name not in UNITS:
        raise ValueError(f"{metric} has no unit {unit_name!r} (known: {', '.join(UNITS)})")
    unit = UNITS[unit_name]
    printed = [value] if std is None else [value, std]
    try:
        return {
            "mean": unit.value(value),
            "std": None if std is None else unit.spread(std),
            # Means lose a trailing zero in print ("93.8±0.22"); the deviation shows the digits
            # that were meant.
            "resolution": min(map(unit.resolution, printed)),
        }
    except ArithmeticError:
        raise ValueError(f"{metric} cannot be {' ± '.join(printed)!r}") from None


def _record(record: Any, cells: Mapping[str, str]) -> Any:
    return record(**_fields(record, {column: text for column, text in cells.items() if text}))


def _fields(record: Any, cells: Mapping[str, str]) -> dict[str, Any]:
    """The record's fields from filled cells; those of a record inside it are behind a dot."""
    types = _types(record)
    values: dict[str, Any] = {}
    for column, text in cells.items():
        name, dot, inner = column.partition(".")
        if name not in types:
            raise ValueError(f"unknown column {column!r} (known: {', '.join(types)})")
        if dot:
            values.setdefault(name, {})[inner] = text
        else:
            values[name] = text
    return {name: _value(name, types[name], value) for name, value in values.items()}


@cache
def _types(record: Any) -> dict[str, Any]:
    """By field, without None."""
    hints = get_type_hints(record)
    return {
        name: get_args(hint)[0] if NoneType in get_args(hint) else hint
        for name, hint in hints.items()
    }


def _value(name: str, kind: Any, value: str | dict[str, str]) -> Any:
    if isinstance(value, str):
        try:
            return _PARSERS[kind](value)
        except (ArithmeticError, LookupError, ValueError):
            raise ValueError(f"{name} cannot be {value!r}") from None
    if is_dataclass(kind):
        return _record(kind, value)
    return {option: _option(text) for option, text in value.items()}


def _option(text: str) -> Any:
    """As JSON, such as 16, true, null or [2, 2, 1, 1]; what is no JSON is a word."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return tuple(value) if isinstance(value, list) else value
