"""Saving a sweep: its name, its spec's versions, its runs and its evaluations.

Each function works inside a transaction of the caller, `results.store.store.Store`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Column, Connection, delete, insert, select

from results.database.dialects import insert_missing, is_one_of, upsert
from results.records import NewEvaluation, NewRun, SweepChange
from results.schema.tables import (
    evaluation_configs,
    runs,
    sweep_evaluations,
    sweep_runs,
    sweep_specs,
    sweeps,
)
from results.store import in_no_sweep
from results.store.sweeps import requeue_cancelled

_FACTS = tuple(field.name for field in fields(NewRun))


def save_sweep(
    connection: Connection,
    name: str,
    spec: Mapping[str, Any],
    new_runs: Sequence[NewRun],
    new_evaluations: Sequence[NewEvaluation],
    now: float,
) -> SweepChange:
    """Saves it as `Store.save_sweep` says; `spec` are columns of `sweep_specs`."""
    sweep_id = _save_name(connection, name, now)
    version, changed = _save_spec(connection, sweep_id, spec, now)
    ids = [run.run_id for run in new_runs]
    before = _members(connection, sweep_id, sweep_runs.c.run_id)
    left = {*before} - {*ids}
    # All of them at once: two sweeps that exchange runs would wait for each other.
    if left:
        in_no_sweep.lock(connection, left.union(ids))
    elif before != ids:
        in_no_sweep.keep_from_deletion(connection, ids)
    added = _insert_runs(connection, new_runs, now)
    _replace_members(connection, sweep_id, sweep_runs.c.run_id, before, ids)
    if left:
        in_no_sweep.leave_queue(connection, left)
    requeued = requeue_cancelled(connection, sweep_id)
    configs = [asdict(e) for e in sorted(new_evaluations, key=lambda e: e.evaluation_id)]
    insert_missing(connection, evaluation_configs, configs)
    ids = [e.evaluation_id for e in new_evaluations]
    before = _members(connection, sweep_id, sweep_evaluations.c.evaluation_id)
    _replace_members(connection, sweep_id, sweep_evaluations.c.evaluation_id, before, ids)
    return SweepChange(
        added=added,
        already_known=len(new_runs) - added,
        removed=len(left),
        requeued=requeued,
        spec_version=version,
        spec_changed=changed,
    )


def _save_name(connection: Connection, name: str, now: float) -> int:
    """Notes that the sweep `name` is saved now, and so is one of here; returns its id."""
    row = upsert(connection, sweeps).values(name=name, created_at=now, updated_at=now)
    saved = row.on_conflict_do_update(
        index_elements=[sweeps.c.name], set_={"updated_at": now, "import_id": None}
    )
    return int(connection.execute(saved.returning(sweeps.c.id)).scalar_one())


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


def _save_spec(
    connection: Connection, sweep_id: int, spec: Mapping[str, Any], now: float
) -> tuple[int, bool]:
    """Keeps a new version of the spec if text or overrides changed; (version, whether new)."""
    newest = connection.execute(
        select(sweep_specs)
        .where(sweep_specs.c.sweep_id == sweep_id)
        .order_by(sweep_specs.c.version.desc())
        .limit(1)
    ).one_or_none()
    if newest and (newest.text, newest.overrides) == (spec["text"], spec["overrides"]):
        return int(newest.version), False
    version = int(newest.version) + 1 if newest else 1
    row = {"sweep_id": sweep_id, "version": version, "created_at": now, **spec}
    connection.execute(insert(sweep_specs).values(row))
    return version, True


def _insert_runs(connection: Connection, new_runs: Sequence[NewRun], now: float) -> int:
    """Queues the runs that the database does not know; returns how many these are."""
    # A sweep that is resumed has few new runs or none. A concurrent save of the same
    # ones is what `insert_missing` is for.
    ids = [run.run_id for run in new_runs]
    here = is_one_of(connection.dialect.name, runs.c.run_id, ids)
    known = set(connection.scalars(select(runs.c.run_id).where(here)))
    rows = [
        {name: getattr(run, name) for name in _FACTS} | {"created_at": now}
        # In one order everywhere: who adds the same ones at once waits for the first.
        for run in sorted(new_runs, key=lambda run: run.run_id)
        if run.run_id not in known
    ]
    return insert_missing(connection, runs, rows)


def _members(connection: Connection, sweep_id: int, member: Column[Any]) -> list[str]:
    """The runs or evaluations of the sweep, in its order.

    `member` is the column of their ids in the table that says what belongs to a sweep.
    """
    of_sweep = select(member).where(member.table.c.sweep_id == sweep_id)
    return list(connection.scalars(of_sweep.order_by(member.table.c.position)))


def _replace_members(
    connection: Connection,
    sweep_id: int,
    member: Column[Any],
    before: Sequence[str],
    ids: Sequence[str],
) -> None:
    """Makes these the runs or evaluations of the sweep, in this order."""
    if before == ids:
        return
    table = member.table
    connection.execute(delete(table).where(table.c.sweep_id == sweep_id))
    if ids:
        rows = [
            {"sweep_id": sweep_id, member.name: key, "position": position}
            for position, key in enumerate(ids)
        ]
        connection.execute(insert(table), rows)
