"""Filters as SQL conditions that keep exactly the runs that the filters accept."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BigInteger, ColumnElement, Float, Integer, and_, literal, not_, or_

from results.database.dialects import is_one_of
from results.queries.columns import StoredColumn, StoredColumns
from results.queries.filters import Filter, close_to, read_filters
from results.schema.tables import runs

_LARGEST = 2**63 - 1


def conditions(
    dialect: str, columns: StoredColumns, where: Sequence[str], *, unfinished_pass: bool = False
) -> list[ColumnElement[bool]]:
    """What a query over `runs` needs in its WHERE to keep the runs that pass every filter.

    With `unfinished_pass`, a filter on a measured value keeps all runs that are not done, as it
    cannot rule them out; otherwise their values are null, and match as null. `dialect` is
    "sqlite" or "postgresql". Raises BadFilterError and UnknownColumnError.
    """
    found = []
    for each in read_filters(where, columns):
        condition = _condition(dialect, columns, each)
        if unfinished_pass and each.column.measured:
            condition = or_(runs.c.state != "done", condition)
        found.append(condition)
    return found


def _condition(
    dialect: str, columns: StoredColumns, wanted: Filter[StoredColumn]
) -> ColumnElement[bool]:
    column = wanted.column
    if column.decode is not None:
        stored = columns.stored_values(column)
        passing = {value for value in stored if wanted.accepts(column.value(value))}
        passes = is_one_of(dialect, column.sql, passing - {None})
        return or_(column.sql.is_(None), passes) if None in passing else passes
    if wanted.wanted is None:
        is_null = column.sql.is_(None)
        return is_null if wanted.sign == "=" else not_(is_null)
    if wanted.sign == "!=":
        return or_(column.sql.is_(None), not_(_equals(column, wanted.wanted)))
    if wanted.sign == "=":
        return _equals(column, wanted.wanted)
    least, greatest = _bounds(column, wanted.wanted)
    return {
        "<": column.sql < least,
        "<=": column.sql <= greatest,
        ">": column.sql > greatest,
        ">=": column.sql >= least,
    }[wanted.sign]


def _equals(column: StoredColumn, wanted: str | bool | int | float) -> ColumnElement[bool]:
    if column.kind != "number":
        return column.sql == wanted
    least, greatest = _bounds(column, wanted)
    return and_(column.sql >= least, column.sql <= greatest)


def _bounds(
    column: StoredColumn, wanted: str | bool | int | float
) -> tuple[ColumnElement[float], ColumnElement[float]]:
    """What counts as equal to a number: whole numbers are exact, others within a tolerance."""
    if isinstance(column.sql.type, Integer) and isinstance(wanted, int) and abs(wanted) <= _LARGEST:
        return literal(wanted, BigInteger), literal(wanted, BigInteger)
    least, greatest = close_to(float(wanted))
    return literal(least, Float), literal(greatest, Float)
