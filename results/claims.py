"""The moves of one run: claimed, released, failed, done; each fenced by its attempt and driver.

Each function works inside a transaction of the caller, `results.store.Store`. The questions that
end in `ed` are for a commit that may or may not have taken place before the connection broke:
they lock the run first, so that they wait for such a commit to end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from results import leases, membership
from results.driver import Driver
from results.payload import CheckedEvaluation, CheckedResult
from results.plain import as_stored
from results.tables import attempts, epochs, evaluations, runs


def claim(
    connection: Connection,
    run_id: str,
    provenance: Mapping[str, Any],
    now: float,
    driver: Driver | None,
) -> int | None:
    """Takes a queued run under a new attempt, whose number it returns.

    None if the run is not queued, or the driver was ended.
    """
    if driver is not None and not leases.keep(connection, driver.id):
        return None
    attempt = connection.execute(
        update(runs)
        .where(runs.c.run_id == run_id, runs.c.state == "queued")
        .values(state="running", attempt=runs.c.attempt + 1)
        .returning(runs.c.attempt)
    ).scalar_one_or_none()
    if attempt is None:
        return None
    connection.execute(
        insert(attempts).values(
            run_id=run_id,
            attempt=attempt,
            state="running",
            started_at=now,
            provenance=dict(provenance),
            driver_id=None if driver is None else driver.id,
            storage=None if driver is None else driver.storage,
            **facts_of(provenance),
        )
    )
    return int(attempt)


def claimed(connection: Connection, run_id: str, provenance: Mapping[str, Any], now: float) -> bool:
    """Whether `claim` with these arguments took place."""
    _lock(connection, run_id)
    newest = connection.execute(
        select(attempts.c.started_at, attempts.c.provenance)
        .where(attempts.c.run_id == run_id)
        .order_by(attempts.c.attempt.desc())
        .limit(1)
    ).one_or_none()
    return newest is not None and newest == (now, as_stored(dict(provenance)))


def finish(
    connection: Connection,
    run_id: str,
    attempt: int,
    checked: CheckedResult,
    now: float,
    driver_id: int | None,
) -> bool:
    """running -> done, with everything that was measured; False if overtaken."""
    told = checked.provenance
    end = {"finished_at": now, "first_epoch": checked.first_epoch}
    columns = {"finished_at": now, **checked.columns}
    if not leave(connection, run_id, attempt, "done", driver_id, end, columns, told):
        return False
    if checked.epochs:
        connection.execute(insert(epochs), checked.epochs)
    add_measurements(connection, checked.evaluations)
    return True


def facts_of(provenance: Mapping[str, Any]) -> dict[str, str | None]:
    """The columns of an attempt that repeat a part of its provenance."""
    found = {name: provenance.get(name) for name in ("host", "device", "git_commit")}
    return {name: None if value is None else str(value) for name, value in found.items()}


def leave(
    connection: Connection,
    run_id: str,
    attempt: int,
    outcome: str,
    driver_id: int | None,
    end: Mapping[str, Any],
    columns: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> bool:
    """Ends an attempt, if the run still runs under it and this driver; says whether it did.

    `outcome` is the attempt's new state, and the run's too if it ends the run. `end` are columns
    of the attempt, `columns` those of the run; `provenance` is added to what the attempt has.
    """
    of_attempt = (attempts.c.run_id == run_id, attempts.c.attempt == attempt)
    held = (
        select(attempts.c.provenance)
        .select_from(runs)  # first, as rows are locked in this order
        .join(attempts, attempts.c.run_id == runs.c.run_id)
        .where(
            *of_attempt,
            runs.c.attempt == attempt,
            runs.c.state == "running",
            attempts.c.driver_id.is_not_distinct_from(driver_id),
        )
        .with_for_update()
    )
    known = connection.execute(held).scalar_one_or_none()
    if known is None:
        return False
    told = {**known, **provenance}
    connection.execute(
        update(attempts)
        .where(*of_attempt)
        .values(state=outcome, provenance=told, **facts_of(told), **end)
    )
    state = outcome if outcome in ("done", "failed") else "queued"
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(state=state, **columns))
    return True


def left(connection: Connection, run_id: str, attempt: int, outcome: str, now: float) -> bool:
    """Whether `leave` or `finish` with these arguments took place."""
    _lock(connection, run_id)
    found = connection.execute(
        select(attempts.c.state, attempts.c.finished_at).where(
            attempts.c.run_id == run_id, attempts.c.attempt == attempt
        )
    ).one_or_none()
    return found is not None and found == (outcome, now)


def add_measurements(connection: Connection, checked: Sequence[CheckedEvaluation]) -> int:
    """Inserts measurements, and configs not known yet; returns how many of the first were new."""
    membership.insert_evaluations(connection, [item.config for item in checked])
    return membership.insert_missing(connection, evaluations, [item.measured for item in checked])


def added_measurements(
    connection: Connection, run_id: str, checked: Sequence[CheckedEvaluation]
) -> bool:
    """Whether the run has all these measurements."""
    _lock(connection, run_id)
    wanted = {item.measured["evaluation_id"] for item in checked}
    found = connection.execute(
        select(evaluations.c.evaluation_id).where(evaluations.c.run_id == run_id)
    ).scalars()
    return wanted <= set(found)


def _lock(connection: Connection, run_id: str) -> None:
    # On SQLite this compiles to a plain SELECT: there the whole file is locked already.
    connection.execute(select(runs.c.run_id).where(runs.c.run_id == run_id).with_for_update())
