"""Deleting a sweep, and runs with their results: the one place where a done run can go.

Each function works inside a transaction of the caller, `results.store.store.Store`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from sqlalchemy import Connection, delete, select, update

from results.records import Deletion, KeptRun
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
from results.store.code_states import code_states_of, remove_unused_code_states
from results.store.kept_runs import among, list_kept_runs
from results.store.sweeps import find_sweep


def exists(connection: Connection, name: str) -> bool:
    """Whether there is a sweep of this name."""
    return connection.scalar(select(sweeps.c.id).where(sweeps.c.name == name)) is not None


def to_delete(
    connection: Connection, name: str, run_ids: Collection[str] | None = None
) -> Deletion:
    """What `delete_sweep` would do, or would with these runs. Raises UnknownSweepError."""
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
        .where(sweep_runs.c.sweep_id == sweep_id, among(connection, sweep_runs.c.run_id, run_ids))
        .order_by(sweep_runs.c.position)
    ).all()
    alone = [row for row in rows if not row.shared]
    # What an archive brought has attempts that count, too.
    own = [row for row in alone if row.attempt > 0]
    return Deletion(
        shared=tuple(row.run_id for row in rows if row.shared),
        untried=tuple(row.run_id for row in alone if row.attempt == 0),
        own=tuple(row.run_id for row in own),
        cancelled=tuple(row.run_id for row in own if row.state in ("queued", "running")),
    )


def delete_sweep(connection: Connection, name: str) -> Deletion:
    """Deletes it as `Store.delete_sweep` says; what that did."""
    sweep_id = find_sweep(connection, name)
    done = to_delete(connection, name)
    for table in (sweep_runs, sweep_evaluations, sweep_specs, sweep_tags, sweep_notes):
        connection.execute(delete(table).where(table.c.sweep_id == sweep_id))
    connection.execute(delete(sweeps).where(sweeps.c.id == sweep_id))
    _delete_rows(connection, done.untried)
    open_runs = among(connection, runs.c.run_id, done.cancelled)
    connection.execute(update(runs).where(open_runs).values(state="cancelled"))
    # Of drivers that are gone: nobody else can have any.
    left = among(connection, attempts.c.run_id, done.cancelled)
    connection.execute(
        update(attempts)
        .where(attempts.c.state == "running", left)
        .values(state="cancelled", finished_at=time.time())
    )
    return done


def delete_runs(
    connection: Connection,
    sweep: str,
    run_ids: Collection[str],
    remove_files: Callable[[str], None],
) -> tuple[str, ...]:
    """Deletes those of these runs that only this sweep holds; which. Files first."""
    _lock(connection, run_ids)
    own = to_delete(connection, sweep, run_ids).own
    for run_id in own:
        remove_files(run_id)
    connection.execute(delete(sweep_runs).where(among(connection, sweep_runs.c.run_id, own)))
    _delete_rows(connection, own)
    return own


def are_deleted(connection: Connection, run_ids: Collection[str]) -> bool:
    """Whether none of these runs is there any more."""
    found = select(runs.c.run_id).where(among(connection, runs.c.run_id, run_ids))
    return connection.execute(found).first() is None


def clear(
    connection: Connection, kept: Sequence[KeptRun], remove_files: Callable[[KeptRun], None]
) -> list[KeptRun]:
    """Removes files of those of these runs of which all that is known is still true; which."""
    run_ids = [run.run_id for run in kept]
    _lock(connection, run_ids)
    now = set(list_kept_runs(connection, run_ids))
    unchanged = [run for run in kept if run in now]
    for run in unchanged:
        remove_files(run)
    return unchanged


def _lock(connection: Connection, run_ids: Collection[str]) -> None:
    """Nobody can claim these runs, nor put them into a sweep, until the transaction ends."""
    # On SQLite the whole file is locked already. Elsewhere a row that refers to one of these locks
    # it, too, and waits.
    locked = select(runs.c.run_id).where(among(connection, runs.c.run_id, run_ids))
    connection.execute(locked.order_by(runs.c.run_id).with_for_update()).all()


def _delete_rows(connection: Connection, run_ids: Sequence[str]) -> None:
    """With everything that was measured of the runs."""
    code = code_states_of(connection, run_ids)
    for table in (*OF_RESULTS, run_tags, run_notes, attempts, runs):
        connection.execute(delete(table).where(among(connection, table.c.run_id, run_ids)))
    remove_unused_code_states(connection, code)
