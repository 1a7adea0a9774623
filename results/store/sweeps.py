"""Finding a sweep, its newest spec and its runs, and queueing and cancelling these.

Each function works inside a transaction of the caller, `results.store.store.Store`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select, true, update

from results.database.dialects import is_one_of
from results.errors import RunInNoSweepError, UnknownRunError, UnknownSweepError
from results.records import StoredSpec
from results.schema.tables import (
    IS_IN_A_SWEEP,
    attempts,
    imports,
    runs,
    sweep_runs,
    sweep_specs,
    sweeps,
)

_OPEN = ("queued", "running")
_ENDED = ("failed", "cancelled")
_AGAIN = {"state": "queued", "error": None, "finished_at": None, "retried_after": runs.c.attempt}


def find_sweep(connection: Connection, name: str) -> int:
    """The id of the sweep `name`; raises UnknownSweepError."""
    sweep_id = connection.scalar(select(sweeps.c.id).where(sweeps.c.name == name))
    if sweep_id is None:
        raise UnknownSweepError(name, connection.scalars(select(sweeps.c.name)))
    return int(sweep_id)


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


def requeue_cancelled(connection: Connection, sweep_id: int) -> int:
    """Queues the sweep's cancelled runs again; returns how many."""
    return len(_change(connection, _of_sweep(sweep_id), ("cancelled",), _AGAIN))


def requeue_ended(
    connection: Connection, sweep: str | None, run_ids: Sequence[str] | None, states: Sequence[str]
) -> list[tuple[str, int]]:
    """Queues runs in these states (failed, cancelled), of a sweep or among ids if given.

    Returns their ids and the numbers of their last attempts. None is queued that is in no sweep.
    Raises UnknownSweepError, UnknownRunError, and RunInNoSweepError.
    """
    for run_id in _full_run_ids(connection, run_ids or ()):
        fit = select(IS_IN_A_SWEEP).where(runs.c.run_id == run_id, runs.c.state.in_(states))
        if connection.scalar(fit) is False:
            raise RunInNoSweepError(run_id)
    return _change_chosen(connection, sweep, run_ids, states, _AGAIN, IS_IN_A_SWEEP)


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
    among: ColumnElement[bool] | None = None,
) -> list[tuple[str, int]]:
    """As `_change`, of a sweep, or among these ids or starts of ids, or both."""
    chosen = true() if among is None else among
    if sweep is not None:
        chosen = and_(chosen, _of_sweep(find_sweep(connection, sweep)))
    if run_ids is None:
        return _change(connection, chosen, states, values)
    found: list[tuple[str, int]] = []
    for run_id in _full_run_ids(connection, run_ids):
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


def _full_run_ids(connection: Connection, starts: Sequence[str]) -> list[str]:
    return sorted({full_run_id(connection, start) for start in starts})


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
