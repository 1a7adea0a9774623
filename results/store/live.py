"""Rows of runs that are not done: what their newest attempts have reported so far.

Each function works inside a transaction of the caller, `results.store.store.Store`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Table, bindparam, delete, literal, or_, select

from results.database.dialects import is_one_of, upsert
from results.schema.tables import IS_LAST_ATTEMPT, REPORTED_LIVE, attempts, runs
from results.store.report_schema import CheckedReport

# Made once: that takes longer than asking.
_ANY_OF = select(
    or_(
        *(
            select(table.c.run_id)
            .where(table.c.run_id.in_(bindparam("run_ids", expanding=True)))
            .exists()
            for table in REPORTED_LIVE
        )
    )
)


def store(
    connection: Connection, reports: Sequence[CheckedReport], driver_id: int | None
) -> set[str]:
    """Writes the reports of runs that are not fenced off; the ids of these runs."""
    held = (
        select(runs.c.run_id, runs.c.attempt)
        .join(attempts, IS_LAST_ATTEMPT)
        .where(
            runs.c.run_id.in_({report.run_id for report in reports}),
            runs.c.state == "running",
            attempts.c.driver_id.is_not_distinct_from(driver_id),
        )
        .order_by(runs.c.run_id)
        .with_for_update()
    )
    known = {tuple(row) for row in connection.execute(held)}
    fit = [report for report in reports if (report.run_id, report.attempt) in known]
    write(connection, *fit)
    return {report.run_id for report in fit}


def write(connection: Connection, *reports: CheckedReport) -> None:
    """The same of runs that the caller has found to be this driver's."""
    for report in reports:
        if report.begins:
            remove(connection, [report.run_id], report.first)
    for table in REPORTED_LIVE:
        if rows := [row for report in reports for row in report.rows[table]]:
            _write(connection, table, rows)


def remove_all(connection: Connection, run_ids: Collection[str]) -> None:
    """Removes all that these runs have reported; most have nothing, which is cheap to see."""
    if connection.scalar(_ANY_OF, {"run_ids": list(run_ids)}):
        remove(connection, run_ids)


def remove(connection: Connection, run_ids: Collection[str], first: int | None = None) -> None:
    """Removes all that these runs have reported, from the epoch `first` on if that is given."""
    for table in REPORTED_LIVE:
        among = is_one_of(connection.dialect.name, table.c.run_id, run_ids)
        # Of a trainer that counts beyond what an epoch of every run may be.
        later = [] if first is None else [table.c.epoch >= literal(first, BigInteger)]
        connection.execute(delete(table).where(among, *later))


def _write(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """An epoch that is there already is as it was reported last."""
    key = list(table.primary_key)
    insert = upsert(connection, table)
    changed = {c.name: insert.excluded[c.name] for c in table.columns if not c.primary_key}
    connection.execute(insert.on_conflict_do_update(index_elements=key, set_=changed), rows)
