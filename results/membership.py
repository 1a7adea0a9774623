"""What a sweep consists of: its name, its spec's versions, its runs and its evaluations.

Each function works inside a transaction of the caller, `results.store.Store`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from results.errors import UnknownRunError, UnknownSweepError
from results.records import NewEvaluation, NewRun, StoredSpec
from results.tables import (
    evaluation_configs,
    runs,
    sweep_evaluations,
    sweep_runs,
    sweep_specs,
    sweeps,
)

_ENDED = ("failed", "cancelled")
_RUNS_AT_ONCE = 1_000


def find_sweep(connection: Connection, name: str) -> int:
    """The id of the sweep `name`; raises UnknownSweepError."""
    sweep_id = connection.execute(
        select(sweeps.c.id).where(sweeps.c.name == name)
    ).scalar_one_or_none()
    if sweep_id is None:
        known = connection.execute(select(sweeps.c.name)).scalars()
        raise UnknownSweepError(name, known)
    return int(sweep_id)


def upsert(connection: Connection, table: Table) -> Any:
    """An INSERT of the connection's dialect, which knows ON CONFLICT."""
    if connection.dialect.name == "postgresql":
        return postgres_insert(table)
    return sqlite_insert(table)


def save_name(connection: Connection, name: str, now: float) -> int:
    """Notes that the sweep `name` is saved now; returns its id."""
    statement = upsert(connection, sweeps).values(name=name, created_at=now, updated_at=now)
    return int(
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[sweeps.c.name], set_={"updated_at": now}
            ).returning(sweeps.c.id)
        ).scalar_one()
    )


def saved(connection: Connection, name: str, now: float) -> bool:
    """Whether the sweep `name` was saved at exactly this time; waits for a save under way.

    Leaves the name inserted if it was not there.
    """
    # No SELECT sees, and waits for, a name that another transaction has inserted.
    inserted = connection.execute(
        upsert(connection, sweeps)
        .values(name=name, created_at=now, updated_at=now)
        .on_conflict_do_nothing(index_elements=[sweeps.c.name])
        .returning(sweeps.c.id)
    ).scalar_one_or_none()
    if inserted is not None:
        return False
    found = connection.execute(
        select(sweeps.c.updated_at).where(sweeps.c.name == name).with_for_update()
    ).scalar_one()
    return bool(found == now)


def save_spec(
    connection: Connection,
    sweep_id: int,
    text: str,
    source: str,
    overrides: Sequence[str],
    description: str | None,
    published: str | None,
    now: float,
) -> tuple[int, bool]:
    """Keeps a new version of the spec if text or overrides changed; (version, whether new)."""
    newest = connection.execute(
        select(sweep_specs)
        .where(sweep_specs.c.sweep_id == sweep_id)
        .order_by(sweep_specs.c.version.desc())
        .limit(1)
    ).one_or_none()
    if newest is not None and newest.text == text and newest.overrides == list(overrides):
        return int(newest.version), False
    version = 1 if newest is None else int(newest.version) + 1
    connection.execute(
        insert(sweep_specs).values(
            sweep_id=sweep_id,
            version=version,
            text=text,
            source=source,
            overrides=list(overrides),
            description=description,
            published=published,
            created_at=now,
        )
    )
    return version, True


def newest_spec(connection: Connection, sweep: str | None) -> StoredSpec:
    """The newest spec of `sweep`, or of the sweep saved last; raises UnknownSweepError."""
    query = select(
        sweeps.c.name, sweep_specs.c.text, sweep_specs.c.source, sweep_specs.c.overrides
    ).join(sweep_specs)
    if sweep is None:
        # The id settles which is last if the clock gave two saves one time.
        query = query.order_by(sweeps.c.updated_at.desc(), sweeps.c.id.desc())
    else:
        query = query.where(sweeps.c.id == find_sweep(connection, sweep))
    row = connection.execute(query.order_by(sweep_specs.c.version.desc()).limit(1)).one_or_none()
    if row is None:
        raise UnknownSweepError(sweep, ())
    return StoredSpec(row.name, row.text, row.source, list(row.overrides))


def insert_runs(connection: Connection, new_runs: Sequence[NewRun], now: float) -> int:
    """Queues the runs that the database does not know; returns how many these are."""
    rows = [asdict(run) | {"created_at": now} for run in new_runs]
    return insert_missing(connection, runs, rows)


def insert_evaluations(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Keeps the configs of evaluations that the database does not know."""
    insert_missing(connection, evaluation_configs, rows)


def insert_missing(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> int:
    """Inserts the rows whose primary key is new; returns how many these are.

    Only the primary key is let off: a row that breaks another constraint is an error.
    """
    if not rows:
        return 0
    statement = upsert(connection, table).on_conflict_do_nothing(
        index_elements=list(table.primary_key.columns)
    )
    result = connection.execute(
        statement, list(rows), execution_options={"preserve_rowcount": True}
    )
    return int(result.rowcount)


def replace_runs(connection: Connection, sweep_id: int, new_runs: Sequence[NewRun]) -> int:
    """Makes these the runs of the sweep, in this order; returns how many left it."""
    before = set(
        connection.execute(
            select(sweep_runs.c.run_id).where(sweep_runs.c.sweep_id == sweep_id)
        ).scalars()
    )
    connection.execute(delete(sweep_runs).where(sweep_runs.c.sweep_id == sweep_id))
    if new_runs:
        connection.execute(
            insert(sweep_runs),
            [
                {"sweep_id": sweep_id, "run_id": run.run_id, "position": position}
                for position, run in enumerate(new_runs)
            ],
        )
    return len(before - {run.run_id for run in new_runs})


def replace_evaluations(
    connection: Connection, sweep_id: int, new_evaluations: Sequence[NewEvaluation]
) -> None:
    """Makes these the evaluations of the sweep, in this order."""
    connection.execute(delete(sweep_evaluations).where(sweep_evaluations.c.sweep_id == sweep_id))
    if new_evaluations:
        connection.execute(
            insert(sweep_evaluations),
            [
                {"sweep_id": sweep_id, "evaluation_id": e.evaluation_id, "position": position}
                for position, e in enumerate(new_evaluations)
            ],
        )


def requeue_cancelled(connection: Connection, sweep_id: int) -> int:
    """Queues the sweep's cancelled runs again; returns how many."""
    members = select(sweep_runs.c.run_id).where(sweep_runs.c.sweep_id == sweep_id)
    return int(
        connection.execute(
            update(runs)
            .where(runs.c.state == "cancelled", runs.c.run_id.in_(members))
            .values(state="queued")
        ).rowcount
    )


def requeue_ended(
    connection: Connection, sweep: str | None, run_ids: Sequence[str] | None
) -> list[tuple[str, int]]:
    """Queues failed and cancelled runs, of a sweep or among ids if given.

    Returns their ids and the numbers of their last attempts. Raises UnknownSweepError and
    UnknownRunError.
    """
    requeue = (
        update(runs)
        .where(runs.c.state.in_(_ENDED))
        .values(state="queued", error=None, finished_at=None)
        .returning(runs.c.run_id, runs.c.attempt)
    )
    if sweep is not None:
        sweep_id = find_sweep(connection, sweep)
        members = select(sweep_runs.c.run_id).where(sweep_runs.c.sweep_id == sweep_id)
        requeue = requeue.where(runs.c.run_id.in_(members))
    if run_ids is None:
        return [(row.run_id, row.attempt) for row in connection.execute(requeue)]
    found: list[tuple[str, int]] = []
    for run_id in dict.fromkeys(run_ids):
        if not count_runs(connection, run_id):
            raise UnknownRunError(run_id)
        rows = connection.execute(requeue.where(runs.c.run_id == run_id))
        found += [(row.run_id, row.attempt) for row in rows]
    return found


def requeued(connection: Connection, ended: Sequence[tuple[str, int]]) -> bool:
    """Whether each of these (run id, last attempt) was queued again, whatever came after."""
    for start in range(0, len(ended), _RUNS_AT_ONCE):
        attempts = dict(ended[start : start + _RUNS_AT_ONCE])
        rows = connection.execute(
            select(runs.c.run_id, runs.c.state, runs.c.attempt)
            .where(runs.c.run_id.in_(list(attempts)))
            .with_for_update()
        )
        if any(row.state in _ENDED and row.attempt == attempts[row.run_id] for row in rows):
            return False
    return True


def count_runs(connection: Connection, run_id: str) -> int:
    """1 if the database knows this run, else 0."""
    return int(
        connection.execute(
            select(func.count()).select_from(runs).where(runs.c.run_id == run_id)
        ).scalar_one()
    )
