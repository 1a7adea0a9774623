"""What no training gives, though the tables take it: asked of every archive before it is believed.

`results.schema.bounds` says what a value may be. A database of one's own may hold more, from before
there were bounds; it is read nonetheless.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
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
from results.database.integrity import compiled
from results.schema.bounds import LONGEST_NAME, MOST_IN_JSON, RANGES
from results.schema.tables import (
    NOTES,
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
    *(table.c.text for table in NOTES),
}
_PATHS: Final = {sweep_specs.c.source, attempts.c.storage, runs.c.dataset, runs.c.scheme}
_LONGEST_PATH = 10_000
_BYTES_A_CHARACTER = 4


def oversized(connection: Connection) -> Iterator[str]:
    """Texts that are too long, in words: asked before any of them is read."""
    for table in _CHECKED:
        columns, query = _texts(table)
        for row in connection.exec_driver_sql(query) if columns else ():
            column = next(c for c, too_long in zip(columns, row, strict=True) if too_long)
            yield f"{column} has a text of more than {_longest(column):,} characters"


@cache
def _texts(table: Table) -> tuple[list[Column[Any]], str]:
    """The columns of texts, and the query for a row with one that is too long."""
    columns = [c for c in table.columns if isinstance(c.type, String | JSON)]
    too_long = [_length(column) > _BYTES_A_CHARACTER * _longest(column) for column in columns]
    query = select(*too_long).select_from(table).where(or_(False, *too_long)).limit(1)
    return columns, compiled(query)


def implausible(connection: Connection) -> Iterator[str]:
    """Numbers out of bounds, and epochs beyond the length of their run, in words."""
    for table in _CHECKED:
        columns, query = _numbers(table)
        key = list(table.primary_key)
        for row in connection.exec_driver_sql(query) if columns else ():
            place = dict(zip(key, row, strict=False))
            for column, value in zip(columns, row[len(key) :], strict=True):
                if value is not None and value not in RANGES[column]:
                    low, high = RANGES[column]
                    yield (
                        f"{column} is {value!r}{_place(place)}, where a number from {low:g} to"
                        f" {high:g} is expected"
                    )
    for column in _EPOCHS:
        for run_id, epoch, last in connection.exec_driver_sql(_beyond_the_end(column)):
            yield f"{column} is {epoch} of run {run_id}, which has {last} epochs"


@cache
def _numbers(table: Table) -> tuple[list[Column[Any]], str]:
    """The columns of numbers with bounds, and the query for a row that has one out of them."""
    columns = [column for column in table.columns if column in RANGES]
    outside = [~column.between(*RANGES[column]) for column in columns]
    key = [type_coerce(column, String) for column in table.primary_key]
    query = select(*key, *columns).select_from(table).where(or_(False, *outside)).limit(1)
    return columns, compiled(query)


_EPOCHS: Final = {
    runs.c.best_epoch: 0,
    runs.c.diverged_epoch: 0,
    epochs.c.epoch: 1,
    probes.c.epoch: 0,
    attempts.c.first_epoch: 0,
}
"""Columns with an epoch of a run, and the first that it may be.

Those of `epoch_metrics` have no last: there it is whatever a trainer counts by. So it is here for
trainers of somebody's own, which may count steps.
"""

_BUILT_IN_TRAINER: Final = "trainers.train:train"
"""As configs have it that say which trainer, and those that say none."""


@cache
def _beyond_the_end(column: Column[Any]) -> str:
    """The query for an epoch before the first or after the last of its run."""
    table = column.table
    # A run that was found whole goes on after its last epoch.
    last = runs.c.epochs + (1 if column is attempts.c.first_epoch else 0)
    of_runs = runs if table is runs else table.join(runs, runs.c.run_id == table.c.run_id)
    trainer = func.coalesce(runs.c.config["trainer"].as_string(), _BUILT_IN_TRAINER)
    after_last = and_(column > last, trainer == _BUILT_IN_TRAINER)
    outside = and_(column.is_not(None), or_(column < _EPOCHS[column], after_last))
    query = select(table.c.run_id, column, runs.c.epochs).select_from(of_runs)
    return compiled(query.where(outside).limit(1))


def _length(column: Column[Any]) -> ColumnElement[int]:
    stored = cast(type_coerce(column, String), LargeBinary)
    return type_coerce(func.length(stored), Integer)


def _longest(column: Column[Any]) -> int:
    if isinstance(column.type, JSON) or column in _LONG:
        return MOST_IN_JSON
    return _LONGEST_PATH if column in _PATHS else LONGEST_NAME


def _place(key: Mapping[Column[Any], Any]) -> str:
    return f" where {', '.join(f'{column.name} {value!a:.80}' for column, value in key.items())}"
