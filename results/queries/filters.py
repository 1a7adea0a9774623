"""Filters such as `depth>=32`, `zero_stable=true`, `training.optimizer.lr!=1/10`, `beta=null`.

A value is read as its column's kind; yes and no are true and false. Numbers may be fractions. What
a spec says is compared to the last digit, and what was computed or measured with a relative
tolerance of 1e-9, so that `max_root_modulus<=1` includes the schemes whose computed modulus is 1
but for rounding. Null equals only null; no ordering matches it. A run is in each of its sweeps:
`sweep!=monday` are the runs that are not in monday, whatever else they are in, and `sweep=null`
those in no sweep. So it is with `tag`. The start of a digest of code stands for the one digest
that begins so.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Float, Integer, and_, literal, not_, or_, select

from results.database.dialects import is_one_of
from results.errors import BadFilterError, listed
from results.queries.columns import StoredColumn, StoredColumns
from results.queries.memberships import memberships
from results.queries.row_columns import Named
from results.schema.tables import runs

_SYNTAX = re.compile(r"\s*(?P<name>.+?)\s*(?P<sign><=|>=|!=|=|<|>)\s*(?P<value>.*?)\s*", re.DOTALL)
_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# As specs and JSON write them, and as tables show them.
_FLAGS = {"true": True, "false": False, "yes": True, "no": False}
_SHAPE = "write KEY=VALUE with one of = != < <= > >="
TOLERANCE = 1e-9
"""Of numbers that were computed or measured, relative."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One of = != < <= > >=, and a value of the column's kind; `tolerance` is relative."""

    sign: str
    wanted: Any
    tolerance: float = 0.0

    def accepts(self, value: Any) -> bool:
        """Whether a run passes that has this value in the column."""
        if self.sign not in _ORDERINGS:
            return self._equals(value) == (self.sign == "=")
        if value is None:
            return False
        if self._equals(value):
            return self.sign in ("<=", ">=")
        return _ORDERINGS[self.sign](value, self.wanted)

    def _equals(self, value: Any) -> bool:
        return _equal(value, self.wanted, self.tolerance)


ColumnT = TypeVar("ColumnT", bound=Named)


def read_filters(
    where: Sequence[str], find: Callable[[str], ColumnT]
) -> list[tuple[ColumnT, Filter]]:
    """The columns that these texts name, as `find` knows them, and what each of them has to be.

    Raises BadFilterError, and UnknownColumnError as `find` does.
    """
    return [_read(text, find) for text in where]


def names_state(where: Sequence[str]) -> bool:
    """Whether one of these texts is about the state of runs.

    Then what unfinished runs reported so far counts, which nobody else is to take for results.
    """
    found = (_SYNTAX.fullmatch(text) for text in where)
    return any(read is not None and read["name"] == "state" for read in found)


def results_unless_asked(where: Sequence[str]) -> list[ColumnElement[bool]]:
    """The condition that a run is done, unless one of these texts is about the state of runs."""
    return [] if names_state(where) else [runs.c.state == "done"]


def close_to(number: float) -> tuple[float, float]:
    """The least and the greatest float that are equal to `number` within TOLERANCE."""
    margin = abs(number) * TOLERANCE
    return (
        _last_equal(number, number - margin, -math.inf),
        _last_equal(number, number + margin, math.inf),
    )


def _last_equal(number: float, guess: float, direction: float) -> float:
    """The last float in that direction which equals `number`; the guess is a few floats off."""

    def equals(other: float) -> bool:
        return _equal(other, number, TOLERANCE)

    while not equals(guess):
        guess = math.nextafter(guess, number)
    while equals(following := math.nextafter(guess, direction)) and following != guess:
        guess = following
    return guess


def _read(text: str, find: Callable[[str], ColumnT]) -> tuple[ColumnT, Filter]:
    found = _SYNTAX.fullmatch(text)
    if found is None:
        raise BadFilterError(text, "no key and operator can be read in it", _SHAPE)
    column = find(found["name"])
    sign = found["sign"]
    wanted = _value(text, column, found["value"])
    if sign in _ORDERINGS:
        if column.kind != "number":
            raise BadFilterError(
                text, f"{column.name} holds {_called(column)}, which has no order", "use = or !="
            )
        if wanted is None:
            raise BadFilterError(text, "null has no order", "use = or !=")
    return column, Filter(sign, wanted, TOLERANCE if column.rounded else 0.0)


def _called(column: Named) -> str:
    names = {"bool": "true or false", "mixed": "values of several kinds", "empty": "only null"}
    return names.get(column.kind, column.kind)


def _value(text: str, column: Named, written: str) -> Any:
    if written == "null":
        return None
    if not written:
        raise BadFilterError(text, "it has no value", _SHAPE)
    if column.kind == "bool":
        if written not in _FLAGS:
            raise BadFilterError(
                text, f"{written!r} is no value of {column.name}", "use true, false or null"
            )
        return _FLAGS[written]
    if column.kind == "number":
        number = _number(written)
        if number is None:
            raise BadFilterError(
                text,
                f"{written!r} is not a number, and {column.name} is",
                "write it as 3, 0.5, 1e-4, 5/9 or null",
            )
        return number
    if column.kind == "list":
        return _list(written)
    return written


def _number(written: str) -> int | float | None:
    """A whole number stays one, so that large seeds compare exactly."""
    try:
        if "/" in written:
            fraction = Fraction(written)
            number = fraction.numerator if fraction.denominator == 1 else float(fraction)
        else:
            number = _whole_or_float(written)
        return number if math.isfinite(number) else None
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


def _whole_or_float(written: str) -> int | float:
    # Not by way of Fraction, which would write 1e-999999999 out in full.
    try:
        return int(written)
    except ValueError:
        number = float(written)
        return int(number) if number.is_integer() else number


def _list(written: str) -> list[Any]:
    """`1/3, 5/9, 1/9`, with or without brackets; what is no number stays text."""
    try:
        value = json.loads(written)
        if isinstance(value, list):
            return value
    except (ValueError, RecursionError):
        pass
    inner = written.removeprefix("[").removesuffix("]")
    items = [item.strip().strip("\"'") for item in inner.split(",")] if inner.strip() else []
    numbers = [(_number(item), item) for item in items]
    return [item if number is None else number for number, item in numbers]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(value: Any, wanted: Any, tolerance: float) -> bool:
    if value is None or wanted is None:
        return value is wanted
    if isinstance(value, list) and isinstance(wanted, list):
        pairs = zip(value, wanted, strict=False)
        return len(value) == len(wanted) and all(_equal(*pair, tolerance) for pair in pairs)
    if _is_number(value) and _is_number(wanted):
        if not tolerance or (isinstance(value, int) and isinstance(wanted, int)):
            return bool(value == wanted)
        try:
            return math.isclose(value, wanted, rel_tol=tolerance)
        except OverflowError:
            return False  # a whole number that no float comes near
    if isinstance(wanted, str) and not isinstance(value, str):
        # A path with values of several kinds: compare with how the value is written.
        number = _number(wanted)
        if _is_number(value) and number is not None:
            return _equal(value, number, tolerance)
        return json.dumps(value) == wanted
    return bool(value == wanted)


_LARGEST = 2**63 - 1


def compile_filters(
    dialect: str, columns: StoredColumns, where: Sequence[str], *, unfinished_pass: bool = False
) -> list[ColumnElement[bool]]:
    """The filters as SQL: what a query over `runs` needs in its WHERE to keep what passes all.

    With `unfinished_pass`, a filter on a measured value keeps all runs that are not done, as it
    cannot rule them out; otherwise their values are null, and match as null. `dialect` is
    "sqlite" or "postgresql". Raises BadFilterError and UnknownColumnError.
    """
    found = []
    for text, (column, wanted) in zip(where, read_filters(where, columns.find), strict=True):
        if column.metric.digest:
            wanted = _of_whole_digest(text, columns, column, wanted)
        passes = _compiled(dialect, columns, column, wanted)
        if unfinished_pass and column.measured:
            passes = or_(runs.c.state != "done", passes)
        found.append(passes)
    return found


def _compiled(
    dialect: str, columns: StoredColumns, column: StoredColumn, wanted: Filter
) -> ColumnElement[bool]:
    if column.memberships is not None:
        return _is_member(column, wanted)
    if column.decode is not None:
        stored = columns.stored_values(column)
        passing = {value for value in stored if wanted.accepts(column.value(value))}
        passes = is_one_of(dialect, column.sql, passing - {None})
        return or_(column.sql.is_(None), passes) if None in passing else passes
    if wanted.wanted is None:
        is_null = column.sql.is_(None)
        return is_null if wanted.sign == "=" else not_(is_null)
    if wanted.sign == "!=":
        return or_(column.sql.is_(None), not_(_equals(column, wanted)))
    if wanted.sign == "=":
        return _equals(column, wanted)
    least, greatest = _bounds(column, wanted)
    return {
        "<": column.sql < least,
        "<=": column.sql <= greatest,
        ">": column.sql > greatest,
        ">=": column.sql >= least,
    }[wanted.sign]


def _of_whole_digest(
    text: str, columns: StoredColumns, column: StoredColumn, wanted: Filter
) -> Filter:
    """The filter with the digest that begins with what it has; as it is where none does."""
    start = str(wanted.wanted)
    known = map(column.value, columns.stored_values(column))
    found = sorted(d for d in known if isinstance(d, str) and d.startswith(start))
    if wanted.wanted is None or not found or start in found:
        return wanted
    if len(found) > 1:
        raise BadFilterError(
            text,
            f"several values of {column.name} begin with {start!r}",
            f"give more digits of one of {listed(found)}",
        )
    return replace(wanted, wanted=found[0])


def _is_member(column: StoredColumn, wanted: Filter) -> ColumnElement[bool]:
    """Whether a run is in the sweep, be it among those asked for or not; null: in any. Or a tag."""
    of_runs = memberships(column.name)
    members = select(of_runs.c.run_id).where(of_runs.c.run_id == runs.c.run_id).correlate(runs)
    if wanted.wanted is not None:
        members = members.where(of_runs.c.value == wanted.wanted)
    # Without a value to be in, "=" is to be in none.
    inside = (wanted.sign == "=") == (wanted.wanted is not None)
    return members.exists() if inside else ~members.exists()


def _equals(column: StoredColumn, wanted: Filter) -> ColumnElement[bool]:
    if column.kind != "number":
        same: ColumnElement[bool] = column.sql == wanted.wanted
        return same
    least, greatest = _bounds(column, wanted)
    return and_(column.sql >= least, column.sql <= greatest)


def _bounds(
    column: StoredColumn, wanted: Filter
) -> tuple[ColumnElement[float], ColumnElement[float]]:
    """The least and the greatest number that count as equal; the greater first if none does."""
    number = wanted.wanted
    if isinstance(column.sql.type, Integer) and isinstance(number, int) and abs(number) <= _LARGEST:
        return literal(number, BigInteger), literal(number, BigInteger)
    least, greatest = close_to(float(number)) if wanted.tolerance else _around(number)
    return literal(least, Float), literal(greatest, Float)


def _around(number: float) -> tuple[float, float]:
    """The number twice if it is a float; else the float above it, then the one below."""
    near = float(number)
    if near == number:
        return near, near
    other = math.nextafter(near, math.inf if near < number else -math.inf)
    return max(near, other), min(near, other)
