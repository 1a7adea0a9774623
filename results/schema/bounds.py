"""How large, how long and how deep a value may be that comes from elsewhere.

The store asks it of every result before it commits it, and an import of every row. The bounds are
wider than anything that training measures, and narrow enough that whatever is stored can be summed
and squared, shown, drawn and made a date of, by every kind of database and by Python.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Float, case

from results.json_values import DEEPEST, is_too_deep
from results.run_columns import COLUMN
from results.schema.tables import metadata
from sweep_plugins.metric_name import LARGEST_NUMBER


class Range(NamedTuple):
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        # A whole number of any size is compared exactly, where float() would overflow.
        return isinstance(value, int | float) and self.low <= value <= self.high


NUMBER = Range(-LARGEST_NUMBER, LARGEST_NUMBER)
"""Of a number of which no more is known."""

PERCENT = Range(0, 100)
SECONDS = Range(0, 1e10)
"""317 years."""
SPEED = Range(0, 1e15)
"""Images a second."""
GAP = Range(-100, 100)
"""Between two accuracies, in points."""
MOMENT = Range(0, 253_402_300_799)
"""Seconds since the epoch, up to the last of the year 9999."""

LONGEST_SCHEME = 100
"""Coefficients of a scheme or of a learned block; what follows from them takes their cube of
time, and their square of memory."""
MOST_BLOCKS = 100_000

LONGEST_NAME = 1_000
"""Characters of a name: of a host, an evaluation, a layer."""

MOST_IN_JSON = 1_000_000
"""Characters of texts, plus values, in JSON that may hold anything."""

_MOMENTS = frozenset(
    (
        "created_at", "updated_at", "started_at", "finished_at", "lease_until", "ended_at",
        "exported_at", "imported_at",
    )
)  # fmt: skip


def _range_of(column: Column[Any]) -> Range:
    name = column.name
    known = COLUMN.get(name)
    if name in _MOMENTS:
        return MOMENT
    if name == "generalization_gap":
        return GAP
    if name == "accuracy" or (known is not None and known.kind == "percent"):
        return PERCENT
    if name == "seconds" or (known is not None and known.unit == "seconds"):
        return SECONDS
    return SPEED if known is not None and known.unit == "images/s" else NUMBER


RANGES: dict[Column[Any], Range] = {
    column: _range_of(column)
    for table in metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, Float)
}
"""Of every column with numbers that need not be whole."""


def bounded(column: Column[Any]) -> ColumnElement[Any]:
    """The column in SQL, null where its number is out of bounds.

    For sums and means: Postgres raises an error for a sum beyond the largest float, and one such
    row, of whatever origin, would end every question about it.
    """
    low, high = RANGES[column]
    return case((column.between(low, high), column))


def is_plain(text: str) -> bool:
    """Whether JSON of this text is so short that `problem_inside` has nothing to say of it.

    A number beyond 1e75 takes that many digits, or an exponent of two.
    """
    return (
        len(text) < MOST_IN_JSON // 2
        and text.count("[") + text.count("{") <= DEEPEST
        and not _MAY_BE_LARGE.search(text)
    )


_MAY_BE_LARGE = re.compile(r"[0-9]{60}|[eE]\+?[0-9]{2}")


def problem_inside(value: Any) -> str | None:
    """What is wrong with JSON that may hold anything: too deep, too much, or a number too large.

    Numbers that are not finite are none of this; they are stored as null.
    """
    if is_too_deep(value):
        return f"has more than {DEEPEST} levels of lists and objects inside one another"
    left = MOST_IN_JSON
    waiting = [value]
    while waiting:
        item = waiting.pop()
        left -= 1
        if isinstance(item, str):
            left -= len(item)
        elif isinstance(item, dict):
            left -= sum(map(len, item))
            waiting += item.values()
        elif isinstance(item, list | tuple):
            waiting += item
        elif isinstance(item, int | float) and abs(item) > NUMBER.high and item - item == 0:
            return f"holds a number beyond {NUMBER.high:g}"
        if left < len(waiting):
            return f"holds more than {MOST_IN_JSON:,} values and characters"
    return None
