"""Typed values out of JSON that another process wrote; an error names their place in it."""

from __future__ import annotations

import math
import re
import reprlib
from typing import Any

from sqlalchemy import Column

from results.errors import BadResultError
from results.json_values import finite
from results.run_columns import RunColumn, problem_of_metric
from results.schema.bounds import (
    LONGEST_NAME,
    LONGEST_SCHEME,
    MOST_BLOCKS,
    NUMBER,
    PERCENT,
    RANGES,
    Range,
    problem_inside,
)
from results.schema.tables import runs

_ID = re.compile("[0-9a-f]{16}")

# What the columns hold on every database.
LARGEST_WHOLE = 2**63 - 1
LARGEST_INTEGER = 2**31 - 1

_KINDS: dict[str, type | tuple[type, ...]] = {
    "a number": (int, float),
    "a whole number": int,
    "true or false": bool,
    "text": str,
    "a list": list,
    "an object": dict,
}


class ObjectReader:
    """Takes typed values out of one JSON object.

    Every method raises BadResultError, with the place, for a value that is none such.
    """

    def __init__(self, run_id: str, value: Any, place: str) -> None:
        self.run_id = run_id
        self.place = place
        if not isinstance(value, dict):
            raise BadResultError(run_id, f"{place or 'it'} is not a JSON object")
        self.values = value

    def problem(self, key: str, problem: str) -> BadResultError:
        """The error that says this of the value of a key."""
        where = f"{self.place}.{key}" if self.place else key
        return BadResultError(self.run_id, f"{where} {problem}")

    def unexpected(self, key: str, value: Any, expected: str) -> BadResultError:
        """The error that this value is not what is expected."""
        return self.problem(key, f"is {brief(value)}, where {expected} is expected")

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

    def whole(self, key: str, least: int = 0, most: int = LARGEST_WHOLE) -> int:
        """A whole number in this range."""
        value = self.take(key, "a whole number")
        if value < least:
            raise self.unexpected(key, value, f"at least {least}")
        if value > most:
            raise self.unexpected(key, value, f"at most {most}")
        return int(value)

    def text(self, key: str, *, null: bool = False) -> str | None:
        """Text of at most LONGEST_NAME characters, or null where that may be."""
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

    def items(self, key: str, most: int) -> ObjectReader:
        """The items of a list, by their places."""
        items = self.take(key, "a list")
        if len(items) > most:
            raise self.problem(
                key, f"has {len(items):,} items, where at most {most:,} are expected"
            )
        by_place = {f"{key}[{i}]": item for i, item in enumerate(items)}
        return ObjectReader(self.run_id, by_place, self.place)

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
            raise self.problem(brief(key), f"is unknown (known: {', '.join(sorted(known))})")

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
            raise self.problem(key, f"is {brief(value)}, not 16 hex digits")
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
                return self.whole(key, most=LARGEST_WHOLE if column.wide else LARGEST_INTEGER)
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
                return None if order is None else self.whole(key, -LARGEST_INTEGER, LARGEST_INTEGER)
            case "flag":
                return self.take(key, "true or false", null=True)
            case _:
                return self.finite_number(key)

    def metric_name(self, key: str) -> str:
        """The key, if a trainer may give this name to what it reports."""
        if (problem := problem_of_metric(key)) is not None:
            raise self.problem(brief(key)[1:-1], problem)
        return key

    def once(self, key: str, value: Any, seen: set[Any]) -> None:
        """Raises BadResultError if the value of this key is among those seen before."""
        if value in seen:
            raise self.problem(key, f"is {brief(value)} a second time")
        seen.add(value)

    def objects(self, key: str) -> list[ObjectReader]:
        """The objects of a list, each with its place."""
        items = self.take(key, "a list")
        return [ObjectReader(self.run_id, item, f"{key}[{i}]") for i, item in enumerate(items)]


def brief(value: Any) -> str:
    """The value for a message, whatever it is: short, and without its depths."""
    try:
        return _BRIEF.repr(value)
    except ValueError:  # Python writes no number of more than some thousand digits
        return "a number of very many digits"


_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxlong = _BRIEF.maxother = 80
_BRIEF.maxlevel = 3
