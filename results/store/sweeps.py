"""What a sweep consists of: its name, its spec's versions, its runs and its evaluations.

Each function works inside a transaction of the caller, `results.store.store.Store`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    insert,
    select,
    true,
    update,
)

from results.database.dialects import is_one_of, upsert
from results.errors import UnknownRunError, UnknownSweepError
from results.records import NewRun, StoredSpec
from results.schema.tables import attempts, imports, runs, sweep_runs, sweep_specs, sweeps

_OPEN = ("queued", "running")
_ENDED = ("failed", "cancelled")
_AGAIN = {"state": "queued", "error": None, "finished_at": None, "retried_after": runs.c.attempt}
_FACTS = tuple(field.name for field in fields(NewRun))


def find_sweep(connection: Connection, name: str) -> int:
    """The id of the sweep `name`; raises UnknownSweepError."""
    sweep_id = connection.scalar(select(sweeps.c.id).where(sweeps.c.name == name))
    if sweep_id is None:
        raise UnknownSweepError(name, connection.scalars(select(sweeps.c.name)))
    return int(sweep_id)


def save_name(connection: Connection, name: str, now: float) -> int:
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


def save_spec(
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


def newest_spec(connection: Connection, sweep: str | None) -> StoredSpec:
    """The newest spec of `sweep`, or of the one saved here last; raises UnknownSweepError."""
    query = (
        select(
            *(sweeps.c.name, sweep_specs.c.text, sweep_specs.c.source, sweep_specs.c.overrides),
            imports.c.file,
        )
        .join(sweep_specs)
        .outerjoin(imports, imports.c.id == sweeps.c.import_id)
    )
    if sweep is None:
        # The id settles which is last if the clock gave two saves one time.
        query = query.where(sweeps.c.import_id.is_(None))
        query = query.order_by(sweeps.c.updated_at.desc(), sweeps.c.id.desc())
    else:
        query = query.where(sweeps.c.id == find_sweep(connection, sweep))
    row = connection.execute(query.order_by(sweep_specs.c.version.desc()).limit(1)).one_or_none()
    if row is None:
        raise UnknownSweepError(sweep, (), imported=connection.scalars(select(sweeps.c.name)))
    return StoredSpec(row.name, row.text, row.source, list(row.overrides), row.file)


def insert_runs(connection: Connection, new_runs: Sequence[NewRun], now: float) -> int:
    """Queues the runs that the database does not know; returns how many these are."""
    # A sweep that is resumed has few new runs or none. A concurrent save of the same
    # ones is what `insert_missing` is for.
    ids = [run.run_id for run in new_runs]
    here = is_one_of(connection.dialect.name, runs.c.run_id, ids)
    known = set(connection.scalars(select(runs.c.run_id).where(here)))
    rows = [
        {name: getattr(run, name) for name in _FACTS} | {"created_at": now}
        for run in new_runs
        if run.run_id not in known
    ]
    return insert_missing(connection, runs, rows)


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


def replace_members(
    connection: Connection, sweep_id: int, member: Column[Any], ids: Sequence[str]
) -> int:
    """Makes these the runs or evaluations of the sweep, in this order; returns how many left it.

    `member` is the column of their ids in the table that says what belongs to a sweep.
    """
    table = member.table
    of_sweep = table.c.sweep_id == sweep_id
    before = connection.execute(select(member).where(of_sweep).order_by(table.c.position))
    left = list(before.scalars())
    if left == list(ids):
        return 0
    connection.execute(delete(table).where(of_sweep))
    if ids:
        rows = [
            {"sweep_id": sweep_id, member.name: key, "position": position}
            for position, key in enumerate(ids)
        ]
        connection.execute(insert(table), rows)
    return len({*left} - {*ids})


def requeue_cancelled(connection: Connection, sweep_id: int) -> int:
    """Queues the sweep's cancelled runs again; returns how many."""
    return len(_change(connection, _of_sweep(sweep_id), ("cancelled",), _AGAIN))


def requeue_ended(
    connection: Connection, sweep: str | None, run_ids: Sequence[str] | None, states: Sequence[str]
) -> list[tuple[str, int]]:
    """Queues runs in these states (failed, cancelled), of a sweep or among ids if given.

    Returns their ids and the numbers of their last attempts. Raises UnknownSweepError and
    UnknownRunError.
    """
    return _change_chosen(connection, sweep, run_ids, states, _AGAIN)


def cancel(
    connection: Connection, sweep: str | None, run_ids: Sequence[str] | None, now: float
) -> list[str]:
    """Cancels queued and running runs, of a sweep or among ids if given, and open attempts.

    Returns their ids. Raises UnknownSweepError and UnknownRunError.
    """
    changed = _change_chosen(connection, sweep, run_ids, _OPEN, {"state": "cancelled"})
    cancelled = [run_id for run_id, _ in changed]
    among = is_one_of(connection.dialect.name, attempts.c.run_id, cancelled)
    connection.execute(
        update(attempts)
        .where(attempts.c.state == "running", among)
        .values(state="cancelled", finished_at=now)
    )
    return cancelled


def _of_sweep(sweep_id: int) -> ColumnElement[bool]:
    return runs.c.run_id.in_(select(sweep_runs.c.run_id).where(sweep_runs.c.sweep_id == sweep_id))


def _change_chosen(
    connection: Connection,
    sweep: str | None,
    run_ids: Sequence[str] | None,
    states: Sequence[str],
    values: Mapping[str, Any],
) -> list[tuple[str, int]]:
    """As `_change`, of a sweep, or among these ids or starts of ids, or both."""
    chosen = true() if sweep is None else _of_sweep(find_sweep(connection, sweep))
    if run_ids is None:
        return _change(connection, chosen, states, values)
    found: list[tuple[str, int]] = []
    for run_id in sorted({full_run_id(connection, start) for start in run_ids}):
        found += _change(connection, and_(chosen, runs.c.run_id == run_id), states, values)
    return found


def _change(
    connection: Connection,
    chosen: ColumnElement[bool],
    states: Sequence[str],
    values: Mapping[str, Any],
) -> list[tuple[str, int]]:
    """Changes the chosen runs in these states; their ids and the numbers of their attempts."""
    fit = and_(chosen, runs.c.state.in_(states))
    # An update locks rows in any order, and two of them could wait for each other.
    ordered = select(runs.c.run_id).where(fit).order_by(runs.c.run_id).with_for_update()
    connection.execute(ordered).all()
    change = update(runs).where(fit).values(values).returning(runs.c.run_id, runs.c.attempt)
    return sorted((row.run_id, row.attempt) for row in connection.execute(change))


def requeued(connection: Connection, ended: Sequence[tuple[str, int]]) -> bool:
    """Whether each of these (run id, last attempt) was queued again, whatever came after."""
    last = dict(ended)
    found = _states(connection, list(last))
    return not any(s in _ENDED and attempt == last[key] for key, s, attempt in found)


def was_cancelled(connection: Connection, run_ids: Sequence[str]) -> bool:
    """Whether each of these runs was cancelled, and not queued again since."""
    return not any(state in _OPEN for _, state, _ in _states(connection, run_ids))


def _states(connection: Connection, run_ids: Sequence[str]) -> list[tuple[str, str, int]]:
    """Id, state and last attempt of these runs, once no other transaction is changing them."""
    rows = connection.execute(
        select(runs.c.run_id, runs.c.state, runs.c.attempt)
        .where(is_one_of(connection.dialect.name, runs.c.run_id, run_ids))
        .order_by(runs.c.run_id)
        .with_for_update()
    )
    return [(row.run_id, row.state, row.attempt) for row in rows]


def full_run_id(connection: Connection, start: str) -> str:
    """The 16 hex digits of the one run whose id starts so; raises UnknownRunError."""
    digits = start.lower()
    if not re.fullmatch(r"[0-9a-f]{1,16}", digits):
        raise UnknownRunError(start)
    query = select(runs.c.run_id).where(runs.c.run_id.startswith(digits)).order_by(runs.c.run_id)
    found = list(connection.execute(query).scalars())
    if len(found) != 1:
        raise UnknownRunError(start, found)
    return str(found[0])
