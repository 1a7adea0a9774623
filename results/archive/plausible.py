"""What no training gives, though the tables take it: asked of every archive before it is believed.

`results.schema.bounds` says what a value may be. A database of one's own may hold more, from before
there were bounds; it is read nonetheless.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    and_,
    cast,
    func,
    or_,
    select,
    type_coerce,
)

from results.archive.chosen import ARCHIVED
from results.schema.bounds import LONGEST_NAME, MOST_IN_JSON, RANGES
from results.schema.tables import (
    attempts,
    epochs,
    imports,
    probes,
    runs,
    sweep_specs,
)

_CHECKED: Final = [table for table in ARCHIVED if table is not imports]
_LONG: Final = {
    *(sweep_specs.c.text, sweep_specs.c.description),
    *(runs.c.error, attempts.c.error, attempts.c.traceback),
}
_PATHS: Final = {sweep_specs.c.source, attempts.c.storage, runs.c.dataset, runs.c.scheme}
_LONGEST_PATH = 10_000
_BYTES_A_CHARACTER = 4


def oversized(connection: Connection) -> Iterator[str]:
    """Texts that are too long, in words: asked before any of them is read."""
    for table in _CHECKED:
        lengths = {column: _length(column) for column in table.columns if _is_text(column)}
        if not lengths:
            continue
        too_long = {c: length > _BYTES_A_CHARACTER * _longest(c) for c, length in lengths.items()}
        query = select(*too_long.values()).where(or_(*too_long.values())).limit(1)
        for row in connection.execute(query):
            column = next(c for c, found in zip(too_long, row, strict=True) if found)
            yield f"{column} has a text of more than {_longest(column):,} characters"


def implausible(connection: Connection) -> Iterator[str]:
    """Numbers out of bounds, and epochs beyond the length of their run, in words."""
    for table in _CHECKED:
        yield from _out_of_range(connection, table)
    yield from _beyond_the_end(connection)


def _out_of_range(connection: Connection, table: Table) -> Iterator[str]:
    columns = [column for column in table.columns if column in RANGES]
    if not columns:
        return
    outside = [~column.between(*RANGES[column]) for column in columns]
    query = select(*table.primary_key, *columns).where(or_(*outside)).limit(1)
    for row in connection.execute(query).mappings():
        for column in columns:
            value = row[column]
            if value is not None and value not in RANGES[column]:
                low, high = RANGES[column]
                yield (
                    f"{column} is {value!r}{_place(table, row)}, where a number from {low:g} to"
                    f" {high:g} is expected"
                )


def _beyond_the_end(connection: Connection) -> Iterator[str]:
    """Epochs after the last of their run."""
    for column in (runs.c.best_epoch, runs.c.diverged_epoch):
        query = select(runs.c.run_id, column, runs.c.epochs).where(_outside(column))
        yield from _epochs(connection, column, query)
    for column, first in ((epochs.c.epoch, 1), (probes.c.epoch, 0), (attempts.c.first_epoch, 0)):
        query = (
            select(column.table.c.run_id, column, runs.c.epochs)
            .join(runs, runs.c.run_id == column.table.c.run_id)
            .where(_outside(column, first))
        )
        yield from _epochs(connection, column, query)


def _outside(column: Column[Any], first: int = 0) -> ColumnElement[bool]:
    # A run that was found whole goes on after its last epoch.
    last = runs.c.epochs + (1 if column is attempts.c.first_epoch else 0)
    return and_(column.is_not(None), or_(column < first, column > last))


def _epochs(connection: Connection, column: Column[Any], query: Any) -> Iterator[str]:
    for run_id, epoch, last in connection.execute(query.limit(1)):
        yield f"{column} is {epoch} of run {run_id}, which has {last} epochs"


def _is_text(column: Column[Any]) -> bool:
    return isinstance(column.type, String | JSON)


def _length(column: Column[Any]) -> ColumnElement[int]:
    stored = cast(type_coerce(column, String), LargeBinary)
    return type_coerce(func.length(stored), Integer)


def _longest(column: Column[Any]) -> int:
    if isinstance(column.type, JSON) or column in _LONG:
        return MOST_IN_JSON
    return _LONGEST_PATH if column in _PATHS else LONGEST_NAME


def _place(table: Table, row: Any) -> str:
    return f" where {', '.join(f'{c.name} {row[c]!a:.80}' for c in table.primary_key)}"
