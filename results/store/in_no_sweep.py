"""Runs in no sweep: nobody asks for them, so none of them waits in the queue.

Each function works inside a transaction of the caller, `results.store.store.Store`.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, case, delete, select, update

from results.schema.tables import IS_IN_A_SWEEP, OF_RESULTS, attempts, run_notes, run_tags, runs
from results.store.code_states import code_states_of, remove_unused_code_states
from results.store.kept_runs import among

QUEUED_IF_IN_A_SWEEP = case((IS_IN_A_SWEEP, "queued"), else_="cancelled")
"""The state of a run that ends without a result and may be tried again."""


def lock(connection: Connection, run_ids: Collection[str]) -> None:
    """Nobody can claim these runs, nor put them into a sweep, until the transaction ends."""
    # On SQLite the whole file is locked already. Elsewhere a row that refers to one of these locks
    # it, too, and waits.
    locked = select(runs.c.run_id).where(among(connection, runs.c.run_id, run_ids))
    connection.execute(locked.order_by(runs.c.run_id).with_for_update()).all()


def keep_from_deletion(connection: Connection, run_ids: Collection[str]) -> None:
    """None of these runs can be deleted until the transaction ends."""
    kept = select(runs.c.run_id).where(among(connection, runs.c.run_id, run_ids))
    ordered = kept.order_by(runs.c.run_id).with_for_update(read=True, key_share=True)
    connection.execute(ordered).all()


def leave_queue(connection: Connection, run_ids: Collection[str]) -> None:
    """Takes those of these runs out of the queue that are in no sweep any more.

    Those that nobody ever tried are deleted, the others cancelled. One that runs is its driver's,
    and leaves the queue when that gives it back. The caller has locked all of them.
    """
    untried = select(runs.c.run_id).where(
        among(connection, runs.c.run_id, run_ids), ~IS_IN_A_SWEEP, runs.c.attempt == 0
    )
    delete_rows(connection, list(connection.scalars(untried)))
    queued = (among(connection, runs.c.run_id, run_ids), ~IS_IN_A_SWEEP, runs.c.state == "queued")
    connection.execute(update(runs).where(*queued).values(state="cancelled"))


def delete_rows(connection: Connection, run_ids: Collection[str]) -> None:
    """Deletes runs, with everything that was measured of them."""
    if run_ids:
        code = code_states_of(connection, run_ids)
        for table in (*OF_RESULTS, run_tags, run_notes, attempts, runs):
            connection.execute(delete(table).where(among(connection, table.c.run_id, run_ids)))
        remove_unused_code_states(connection, code)
