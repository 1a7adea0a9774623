"""Deleting a sweep, and with a second word its results: the one place where a done run can go.

Each function works inside a transaction of the caller, `results.store.store.Store`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, update

from results.database.dialects import is_one_of
from results.records import Deleted
from results.schema.tables import (
    OF_RESULTS,
    attempts,
    run_notes,
    run_tags,
    runs,
    sweep_evaluations,
    sweep_notes,
    sweep_runs,
    sweep_specs,
    sweep_tags,
    sweeps,
)
from results.store.sweeps import find_sweep


def exists(connection: Connection, name: str) -> bool:
    """Whether there is a sweep of this name."""
    return connection.scalar(select(sweeps.c.id).where(sweeps.c.name == name)) is not None


def to_delete(connection: Connection, name: str, *, results: bool) -> Deleted:
    """What `delete_sweep` would take. Raises UnknownSweepError."""
    sweep_id = find_sweep(connection, name)
    others = sweep_runs.alias("others")
    elsewhere = (
        select(others.c.run_id)
        .where(others.c.run_id == runs.c.run_id, others.c.sweep_id != sweep_id)
        .exists()
    )
    rows = connection.execute(
        select(runs.c.run_id, runs.c.state, runs.c.attempt, elsewhere.label("shared"))
        .join(sweep_runs, sweep_runs.c.run_id == runs.c.run_id)
        .where(sweep_runs.c.sweep_id == sweep_id)
        .order_by(sweep_runs.c.position)
    ).all()
    own = [row for row in rows if not row.shared]
    # What an archive brought has attempts that count, too.
    untried = [row.run_id for row in own if row.attempt == 0]
    tried = [row for row in own if row.attempt > 0]
    shared = [row.run_id for row in rows if row.shared]
    return Deleted(
        results=tuple(row.run_id for row in tried if results),
        untried=tuple(untried),
        cancelled=tuple(
            row.run_id for row in tried if not results and row.state in ("queued", "running")
        ),
        kept=(*shared, *(row.run_id for row in tried if not results)),
        shared=tuple(shared),
    )


def delete_sweep(connection: Connection, name: str, *, results: bool) -> Deleted:
    """Deletes it as `Store.delete_sweep` says; what that took."""
    sweep_id = find_sweep(connection, name)
    taken = to_delete(connection, name, results=results)
    for table in (sweep_runs, sweep_evaluations, sweep_specs, sweep_tags, sweep_notes):
        connection.execute(delete(table).where(table.c.sweep_id == sweep_id))
    connection.execute(delete(sweeps).where(sweeps.c.id == sweep_id))
    _delete_runs(connection, (*taken.results, *taken.untried))
    among = is_one_of(connection.dialect.name, runs.c.run_id, taken.cancelled)
    connection.execute(update(runs).where(among).values(state="cancelled"))
    # Of drivers that are gone: nobody else can have any.
    left = is_one_of(connection.dialect.name, attempts.c.run_id, taken.cancelled)
    connection.execute(
        update(attempts)
        .where(attempts.c.state == "running", left)
        .values(state="cancelled", finished_at=time.time())
    )
    return taken


def _delete_runs(connection: Connection, run_ids: Sequence[str]) -> None:
    """With everything that was measured of them."""
    for table in (*OF_RESULTS, run_tags, run_notes, attempts, runs):
        among = is_one_of(connection.dialect.name, table.c.run_id, run_ids)
        connection.execute(delete(table).where(among))
