"""What is wrong with the content of a database: asked once a question to it has failed, and of
every archive before anything of it is believed.

The store writes only what fits the tables. But a SQLite file takes any value in any column, and
editing it by hand, or copying it while it is written, can break every rule of the tables,
and the rules with them. So they are asked here as `results.schema.tables` has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    Select,
    String,
    Table,
    TextClause,
    case,
    cast,
    exists,
    func,
    inspect,
    or_,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects import sqlite

from results.database.base import Database
from results.database.consistency import contradictions
from results.schema.json_columns import json_problem
from results.schema.tables import metadata

_LONGEST_SHOWN = 60


def find_corruption(database: Database) -> str | None:
    """The first value that breaks a rule of the tables, in words; None if there is none.

    Reads everything: it takes seconds for each GB.
    """
    with database.reading() as connection:
        return next(corruptions(connection), None)


def corruptions(
    connection: Connection, *, enforced: bool = False, bounded: bool = False
) -> Iterator[str]:
    """Violations, in words. Further ones may not be found after the first.

    With `bounded` JSON must also be within `results.schema.bounds`, which a database from before
    there were any need not be.

    Keys, references and the file's own structure are not looked at where they were `enforced` on
    all that is there: by Postgres for every client, by SQLite in a file that we have just made.
    """
    in_sqlite = connection.dialect.name == "sqlite"
    enforced = enforced or not in_sqlite
    if not enforced:
        yield from other_columns(connection)
    for table in metadata.sorted_tables:
        if in_sqlite:
            yield from _broken_rules(connection, table)
        if not enforced:
            yield from _not_unique(connection, table)
            yield from _dangling(connection, table)
        yield from _broken_json(connection, table, bounded)
    yield from contradictions(connection)
    if not enforced:
        for (problem,) in connection.exec_driver_sql("PRAGMA integrity_check(1)"):
            if problem != "ok":
                yield str(problem)


def other_columns(connection: Connection) -> Iterator[str]:
    """Tables and columns that are missing, or that are none of ours, in words."""
    inspector = inspect(connection)
    present = inspector.get_table_names()
    for table in metadata.sorted_tables:
        if table.name not in present:
            yield f"there is no table {table.name}"
            continue
        found = {column["name"] for column in inspector.get_columns(table.name)}
        known = set(table.columns.keys())
        for name in sorted(known - found):
            yield f"{table.name} has no column {name}"
        for name in sorted(found - known):
            yield f"{table.name} has an unknown column {name!r}"


class _Rule(NamedTuple):
    """What must not be true of a row, the columns that it is about, and the rule in words."""

    broken: ColumnElement[bool]
    columns: list[Column[Any]]
    words: str = ""


def _broken_rules(connection: Connection, table: Table) -> Iterator[str]:
    rules, query = _rules(table)
    for number, *values in connection.exec_driver_sql(query, execution_options={"yield_per": 1000}):
        rule, row = rules[number], dict(zip(table.columns, values, strict=True))
        given = ", ".join(f"{c.name} is {_shown(row[c])}" for c in rule.columns)
        yield f"{table.name}.{given}{_place(table, row)}{rule.words}"


@cache
def _rules(table: Table) -> tuple[list[_Rule], str]:
    """The rules of one table, and the query for a broken one's number and the row."""
    rules = [rule for column in table.columns for rule in _rules_of_column(column)]
    rules += _checks(table)
    first = case(*((rule.broken, number) for number, rule in enumerate(rules)))
    query = select(first, *map(_raw, table.columns)).where(or_(*(rule.broken for rule in rules)))
    return rules, compiled(query)


def compiled(query: Select[*tuple[Any, ...]]) -> str:
    """The query as SQLite's SQL: for questions that are long, and the same of every database."""
    literal = {"literal_binds": True}
    return str(query.compile(dialect=sqlite.dialect(), compile_kwargs=literal))


def _rules_of_column(column: Column[Any]) -> Iterator[_Rule]:
    """That every kind of database can hold the value."""
    raw = _raw(column)
    kinds = [*_types(column), *(["null"] if column.nullable else [])]
    yield _Rule(func.typeof(raw).not_in(kinds), [column])
    if isinstance(column.type, String):
        yield _Rule(func.instr(raw, func.char(0)) > 0, [column], ": text has no NUL")
        if column.type.length:  # only ids have one
            digits = "[0-9a-f]" * column.type.length
            words = f": an id is {column.type.length} hex digits"
            yield _Rule(func.glob(digits, raw) == 0, [column], words)
    elif isinstance(column.type, Boolean):
        yield _Rule(type_coerce(column, Integer).not_in([0, 1]), [column], ": it is 0 or 1")
    elif isinstance(column.type, Float):
        infinite = func.abs(raw) == text("9e999")
        yield _Rule(infinite, [column], ": what is not finite is NULL")
    elif isinstance(column.type, Integer) and not isinstance(column.type, BigInteger):
        number = type_coerce(column, Integer)
        outside = or_(number < -(2**31), number >= 2**31)
        yield _Rule(outside, [column], ": a whole number here has at most 32 bits")


def _types(column: Column[Any]) -> tuple[str, ...]:
    """As SQLite's typeof calls them."""
    if isinstance(column.type, Float):
        return ("real", "integer")
    return ("integer",) if isinstance(column.type, Integer | Boolean) else ("text",)


def _checks(table: Table) -> Iterator[_Rule]:
    found = [*table.constraints, *(c for column in table.columns for c in column.constraints)]
    checks = {
        str(constraint.sqltext)
        for constraint in found
        if isinstance(constraint, CheckConstraint) and isinstance(constraint.sqltext, TextClause)
    }
    rules = []
    for check in checks:
        words = set(check.replace("(", " ").replace(")", " ").split())
        about = [column for column in table.columns if column.name in words]
        broken: Any = text(f"NOT ({check})")
        rules.append(_Rule(broken, about, f", and the rule is: {check}"))
    # Of several that a row breaks, the one about the fewest columns says most.
    yield from sorted(rules, key=lambda rule: (len(rule.columns), rule.words))


def _not_unique(connection: Connection, table: Table) -> Iterator[str]:
    for key, query in _keys(table):
        for values in connection.exec_driver_sql(query):
            row = dict(zip(key, values, strict=True))
            yield f"{table.name} has several rows{_place(table, row, key)}"


@cache
def _keys(table: Table) -> list[tuple[list[Column[Any]], str]]:
    """Each key, with the query for values that several rows have."""
    keys = [list(table.primary_key)]
    keys += [
        list(index.columns)
        for index in table.indexes
        if index.unique and index.dialect_options["sqlite"]["where"] is None
    ]
    return [
        (key, compiled(select(*map(_raw, key)).group_by(*key).having(func.count() > 1)))
        for key in keys
    ]


def _dangling(connection: Connection, table: Table) -> Iterator[str]:
    for child, parent, query in _references(table):
        for value, *found in connection.exec_driver_sql(query):
            row = dict(zip(table.primary_key, found, strict=True))
            yield (
                f"{table.name}.{child.name} is {_shown(value)}{_place(table, row)}, and refers to"
                f" nothing in {parent.table.name}"
            )


@cache
def _references(table: Table) -> list[tuple[Column[Any], Column[Any], str]]:
    """Each column that refers to another, with the query for values that are not there."""
    found = []
    for key in table.foreign_keys:
        child, parent = key.parent, key.column
        query = select(_raw(child), *map(_raw, table.primary_key)).where(
            child.is_not(None), ~exists().where(parent == child)
        )
        found.append((child, parent, compiled(query)))
    return found


def _broken_json(connection: Connection, table: Table, bounded: bool) -> Iterator[str]:
    columns = [column for column in table.columns if isinstance(column.type, JSON)]
    if not columns:
        return
    key = list(table.primary_key)
    in_sqlite = connection.dialect.name == "sqlite"
    texts = [_raw(column) if in_sqlite else cast(column, String) for column in columns]
    query = select(*texts, *map(_raw, key))
    for values in connection.execute(query, execution_options={"yield_per": 1000}):
        for column, value in zip(columns, values, strict=False):
            problem = None if value is None else json_problem(column, value, bounded=bounded)
            if problem is not None:
                row = dict(zip(key, values[len(columns) :], strict=True))
                given = f"{table.name}.{column.name} is {_shown(value)}"
                yield f"{given}{_place(table, row)}: {problem}"


def _raw(column: Column[Any]) -> ColumnElement[Any]:
    """The value as stored, whatever the column's type."""
    return type_coerce(column, String)


def _place(table: Table, row: dict[Column[Any], Any], key: list[Column[Any]] | None = None) -> str:
    names = [f"{column.name} {_shown(row[column])}" for column in key or table.primary_key]
    return f" where {', '.join(names)}"


def _shown(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[: _LONGEST_SHOWN - 3]}..."
