"""Which rows an export writes: the chosen sweeps, and all that belongs to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import JSON, Column, Connection, Select, Table, literal, null, select

from results.errors import UnknownSweepError
from results.schema.tables import (
    CODE_OF_ATTEMPTS,
    attempts,
    code_states,
    drivers,
    evaluation_configs,
    evaluations,
    imports,
    metadata,
    sweep_evaluations,
    sweep_runs,
    sweeps,
)

ARCHIVED: Final = tuple(table for table in metadata.sorted_tables if table is not drivers)
"""What an archive holds; what a row refers to stands in an earlier table. A driver means nothing
elsewhere."""

# Rows with JSON can take kilobytes each, rows of numbers some tens of bytes.
_ROWS_WITH_JSON = 2_000
_ROWS_OF_NUMBERS = 20_000


class Chosen:
    """The sweeps of these names, or the whole database with runs that are in no sweep.

    A sweep goes with its runs, whatever their state, and with everything measured of them. The
    sweeps are numbered from 1, the one created first in front. `schema` is where their tables are
    on this connection, if that is not the default. Raises UnknownSweepError.
    """

    def __init__(
        self, connection: Connection, names: Sequence[str] = (), schema: str | None = None
    ) -> None:
        self._connection = connection
        self._whole = not names
        found = sorted(
            connection.execute(
                select(sweeps.c.id, sweeps.c.name, sweeps.c.created_at),
                execution_options={"schema_translate_map": {None: schema}},
            ),
            key=lambda row: (row.created_at, row.name),
        )
        for name in names:
            if name not in {row.name for row in found}:
                raise UnknownSweepError(name, [row.name for row in found])
        chosen = [row for row in found if self._whole or row.name in names]
        self.names = {number: row.name for number, row in enumerate(chosen, 1)}
        self._numbers = {row.id: number for number, row in enumerate(chosen, 1)}

    def batches(self, table: Table) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a table, as `queries` gives them."""
        for query in self.queries(table):
            result = self._connection.execute(
                query, execution_options={"yield_per": rows_at_once(table)}
            )
            for part in result.partitions():
                yield [tuple(row) for row in part]

    def queries(self, table: Table) -> Iterator[Select[Any]]:
        """For the rows of a table, in the order of its columns and key.

        They have the sweeps' numbers in here; `driver_id` is NULL.
        """
        sweep = sweeps.c.id if table is sweeps else table.c.get("sweep_id")
        if sweep is not None:
            for sweep_id, number in self._numbers.items():
                yield _select(table, {sweep: literal(number)}).where(sweep == sweep_id)
        else:
            query = _select(table, {attempts.c.driver_id: null()})
            yield query if self._whole else query.where(self._within(table))

    def _within(self, table: Table) -> Any:
        """Whether a row belongs to the runs or evaluations of the chosen sweeps."""
        members = select(sweep_runs.c.run_id).where(sweep_runs.c.sweep_id.in_(self._numbers))
        if table is imports:
            brought = [
                select(of.c.import_id).where(of.c.run_id.in_(members))
                for of in (attempts, evaluations)
            ]
            own = select(sweeps.c.import_id).where(sweeps.c.id.in_(self._numbers))
            return imports.c.id.in_(own.union(*brought))
        if table is code_states:
            tried = [select(c).where(attempts.c.run_id.in_(members)) for c in CODE_OF_ATTEMPTS]
            return code_states.c.sha256.in_(tried[0].union(*tried[1:]))
        if table is not evaluation_configs:
            return table.c.run_id.in_(members)
        asked_for = select(sweep_evaluations.c.evaluation_id).where(
            sweep_evaluations.c.sweep_id.in_(self._numbers)
        )
        measured = select(evaluations.c.evaluation_id).where(evaluations.c.run_id.in_(members))
        return evaluation_configs.c.evaluation_id.in_(asked_for.union(measured))


def _select(table: Table, replaced: dict[Column[Any], Any]) -> Select[Any]:
    columns = [replaced.get(column, column).label(column.name) for column in table.columns]
    return select(*columns).select_from(table).order_by(*table.primary_key)


def rows_at_once(table: Table) -> int:
    """How many rows of a table are worked on at once."""
    has_json = any(isinstance(column.type, JSON) for column in table.columns)
    return _ROWS_WITH_JSON if has_json else _ROWS_OF_NUMBERS
