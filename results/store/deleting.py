"""Deleting sweeps, and runs with their results: the one place where a done run can go.

Each function works inside a transaction of the caller, `results.store.store.Store`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from sqlalchemy import Connection, delete, select, update

from results.records import Deletion, KeptRun, Removal
from results.schema.tables import (
    attempts,
    runs,
    sweep_evaluations,
    sweep_notes,
    sweep_runs,
    sweep_specs,
    sweep_tags,
    sweeps,
)
from results.store import in_no_sweep
from results.store.kept_runs import among, list_kept_runs
from results.store.leases import Gone, drivers_of_runs, drivers_of_sweep
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


def delete_sweep(
    connection: Connection, name: str, gone: Gone, forget_spec: Callable[[], None]
) -> Deletion:
    """Deletes it as `Store.delete_sweep` says; what that did."""
    sweep_id = _hold_sweep(connection, name, gone)
    members = select(sweep_runs.c.run_id).where(sweep_runs.c.sweep_id == sweep_id)
    in_no_sweep.lock(connection, list(connection.scalars(members)))
    done = to_delete(connection, name)
    _require_unattended(connection, done.cancelled, gone)
    forget_spec()
    for table in (sweep_runs, sweep_evaluations, sweep_specs, sweep_tags, sweep_notes):
        connection.execute(delete(table).where(table.c.sweep_id == sweep_id))
    connection.execute(delete(sweeps).where(sweeps.c.id == sweep_id))
    in_no_sweep.delete_rows(connection, done.untried)
    open_runs = among(connection, runs.c.run_id, done.cancelled)
    connection.execute(update(runs).where(open_runs).values(state="cancelled"))
    # Of drivers that are gone: nobody else has any.
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
    gone: Gone,
    remove_files: Callable[[str], None],
) -> tuple[str, ...]:
    """Deletes those of these runs that only this sweep holds; which. Files first."""
    _hold_sweep(connection, sweep, gone)
    in_no_sweep.lock(connection, run_ids)
    own = to_delete(connection, sweep, run_ids).own
    _require_unattended(connection, own, gone)
    for run_id in own:
        remove_files(run_id)
    connection.execute(delete(sweep_runs).where(among(connection, sweep_runs.c.run_id, own)))
    in_no_sweep.delete_rows(connection, own)
    return own


def _hold_sweep(connection: Connection, name: str, gone: Gone) -> int:
    """The id of a sweep that no driver works on, or begins to until the transaction ends."""
    sweep_id = find_sweep(connection, name)
    # Whoever saves it notes in the same transaction that it works on it.
    connection.execute(select(sweeps.c.id).where(sweeps.c.id == sweep_id).with_for_update()).all()
    for driver in drivers_of_sweep(connection, name, gone):
        raise driver.busy_with(f"sweep {name}")
    return sweep_id


def _require_unattended(connection: Connection, run_ids: Collection[str], gone: Gone) -> None:
    for run_id, driver in drivers_of_runs(connection, run_ids, gone).items():
        raise driver.busy_with(f"run {run_id}")


def are_deleted(connection: Connection, run_ids: Collection[str]) -> bool:
    """Whether none of these runs is there any more."""
    found = select(runs.c.run_id).where(among(connection, runs.c.run_id, run_ids))
    return connection.execute(found).first() is None


def clear(
    connection: Connection,
    kept: Sequence[KeptRun],
    gone: Gone,
    remove_files: Callable[[KeptRun], None],
) -> Removal:
    """Removes files of those of these runs that are as listed, and that no driver may have."""
    run_ids = [run.run_id for run in kept]
    in_no_sweep.lock(connection, run_ids)
    now = set(list_kept_runs(connection, run_ids, all_runs=True))
    drivers = drivers_of_runs(connection, run_ids, gone)
    at_work = [run for run in kept if run.run_id in drivers]
    idle = [run for run in kept if run.run_id not in drivers]
    free = [run for run in idle if run in now]
    for run in free:
        remove_files(run)
    return Removal(tuple(free), tuple(run for run in idle if run not in now), tuple(at_work))


def delete_runs_in_no_sweep(
    connection: Connection,
    kept: Sequence[KeptRun],
    gone: Gone,
    remove_files: Callable[[KeptRun], None],
) -> Removal:
    """Deletes those of these runs that are in no sweep, files first, as `clear`."""
    of_none = [run for run in kept if not run.sweeps and run.state != "running"]
    removal = clear(connection, of_none, gone, remove_files)
    in_no_sweep.delete_rows(connection, [run.run_id for run in removal.done])
    return removal
