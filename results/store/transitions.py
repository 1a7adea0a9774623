"""The moves of runs: claimed, released, failed, done; each fenced by its attempt and driver.

Each function works inside a transaction of the caller, `results.store.store.Store`. The questions
that end in `ed` are for a commit that may or may not have taken place before the connection broke:
they lock the run first, so that they wait for such a commit to end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, and_, bindparam, insert, select, update

from results.database.dialects import insert_missing
from results.json_values import as_stored
from results.provenance import AFTER_RUN, PLACE, Told
from results.schema.tables import IS_LAST_ATTEMPT, attempts, evaluation_configs, evaluations, runs
from results.store import leases, live
from results.store.code_states import keep_code_states
from results.store.driver import Driver
from results.store.in_no_sweep import QUEUED_IF_IN_A_SWEEP
from results.store.report_schema import CheckedReport
from results.store.result_schema import CheckedEvaluation, CheckedResult

# Made once: that takes longer than asking.
_HELD = (
    select(runs.c.run_id, runs.c.attempt, attempts.c.provenance)
    .join(attempts, IS_LAST_ATTEMPT)
    .where(
        runs.c.run_id.in_(bindparam("run_ids", expanding=True)),
        runs.c.state == "running",
        attempts.c.driver_id.is_not_distinct_from(bindparam("driver_id")),
    )
    .order_by(runs.c.run_id)
    .with_for_update()
)
"""Those of these runs that are running and this driver's, locked."""


def claim(
    connection: Connection,
    run_ids: Sequence[str],
    told: Told,
    now: float,
    driver: Driver | None,
    *,
    one_slot: bool = True,
) -> dict[str, int]:
    """Takes those of the runs that are queued, each under a new attempt; the attempts' numbers.

    On `one_slot` each of them begins when those before it have ended, which its attempt notes.
    None is taken if the driver was ended.
    """
    if driver is not None and not leases.keep_from_takeover(connection, driver.id):
        return {}
    queued = and_(runs.c.run_id.in_(run_ids), runs.c.state == "queued")
    if len(run_ids) > 1:
        # An update locks rows in any order, and two of them could wait for each other.
        ordered = select(runs.c.run_id).where(queued).order_by(runs.c.run_id).with_for_update()
        connection.execute(ordered).all()
    numbers = connection.execute(
        update(runs)
        .where(queued)
        .values(state="running", attempt=runs.c.attempt + 1, imported=False)
        .returning(runs.c.run_id, runs.c.attempt)
    ).all()
    attempt_of = {row.run_id: row.attempt for row in numbers}
    taken = [run_id for run_id in dict.fromkeys(run_ids) if run_id in attempt_of]
    if taken:
        keep_code_states(connection, [told])
        common = {
            "state": "running",
            "started_at": now,
            "driver_code": told.code_sha256,
            "driver_id": None if driver is None else driver.id,
            "storage": None if driver is None else driver.storage,
            **facts_of(told.own),
        }
        after: list[dict[str, Any]] = [{}] * len(taken)
        if one_slot:
            after[1:] = [
                {AFTER_RUN: before, PLACE: place} for place, before in enumerate(taken[:-1], 1)
            ]
        connection.execute(
            insert(attempts),
            [
                {
                    "run_id": run_id,
                    "attempt": attempt_of[run_id],
                    "provenance": {**told.own, **more},
                    **common,
                }
                for run_id, more in zip(taken, after, strict=True)
            ],
        )
    return {run_id: attempt_of[run_id] for run_id in taken}


def count_attempts(connection: Connection, before: Mapping[str, int]) -> list[str]:
    """Notes that so many attempts came before the next one of each of these runs, elsewhere.

    Returns the ids of those it was noted of: the queued ones that have no more attempts here.
    """
    here = select(runs.c.run_id, runs.c.attempt).where(
        runs.c.run_id.in_(list(before)), runs.c.state == "queued"
    )
    found = connection.execute(here.order_by(runs.c.run_id).with_for_update()).all()
    fit = [row.run_id for row in found if row.attempt <= before[row.run_id]]
    of_run: BindParameter[str] = bindparam("of_run")
    if fit:
        connection.execute(
            update(runs).where(runs.c.run_id == of_run).values(attempt=bindparam("before")),
            [{"of_run": run_id, "before": before[run_id]} for run_id in fit],
        )
    return fit


def claimed(connection: Connection, taken: Mapping[str, int], told: Told, now: float) -> bool:
    """Whether `claim`, which gave `taken`, took place."""
    if not taken:
        return True  # nothing changed either way
    run_id, attempt = next(iter(taken.items()))  # all of them or none: checking one is enough
    made = _attempt(connection, run_id, attempt)
    asked = (now, as_stored(told.own), told.code_sha256)
    return made is not None and (made.started_at, made.provenance, made.driver_code) == asked


def finish(
    connection: Connection,
    results: Sequence[tuple[str, int, CheckedResult]],
    now: float,
    driver_id: int | None,
) -> set[str]:
    """running -> done, with all that was measured, for those that are not fenced off; their ids."""
    asked = {"run_ids": [run_id for run_id, _, _ in results], "driver_id": driver_id}
    known = {(row.run_id, row.attempt): row.provenance for row in connection.execute(_HELD, asked)}
    fit = [result for result in results if result[:2] in known]
    if not fit:
        return set()
    keep_code_states(connection, [checked.told for _, _, checked in fit])
    ends, columns = [], []
    for run_id, attempt, checked in fit:
        own = {**known[run_id, attempt], **checked.told.own}
        ends.append(
            {
                "of_run": run_id,
                "of_attempt": attempt,
                "state": "done",
                "finished_at": now,
                "first_epoch": checked.first_epoch,
                "provenance": own,
                "worker_code": checked.told.code_sha256,
                **facts_of(own),
            }
        )
        columns.append({"of_run": run_id, "state": "done", "finished_at": now, **checked.columns})
    of_run: BindParameter[str] = bindparam("of_run")
    connection.execute(
        update(attempts).where(
            attempts.c.run_id == of_run, attempts.c.attempt == bindparam("of_attempt")
        ),
        ends,
    )
    connection.execute(update(runs).where(runs.c.run_id == of_run), columns)
    # Under the runs' locks: whichever driver had one of them, in this attempt or an earlier one,
    # may have written what it reported, and another thread of this one just now.
    live.remove_all(connection, [run_id for run_id, _, _ in fit])
    for table in fit[0][2].rows:
        rows = [row for _, _, checked in fit for row in checked.rows[table]]
        if rows:
            connection.execute(insert(table), rows)
    add_measurements(connection, [item for _, _, checked in fit for item in checked.evaluations])
    return {run_id for run_id, _, _ in fit}


def facts_of(provenance: Mapping[str, Any]) -> dict[str, str | None]:
    """The columns of an attempt that repeat a part of its provenance."""
    found = {name: provenance.get(name) for name in ("host", "device", "git_commit")}
    return {name: None if value is None else str(value) for name, value in found.items()}


def leave(
    connection: Connection,
    run_id: str,
    attempt: int,
    driver_id: int | None,
    end: Mapping[str, Any],
    told: Told,
    report: CheckedReport | None = None,
) -> bool:
    """Ends an attempt, if the run still runs under it and this driver; says whether it did.

    `end` are columns of the attempt: its new state, which is the run's too if that is "failed";
    else the run is queued again, or cancelled if it is in no sweep any more. What is `told` is
    added to what the attempt has, and `report` to what it reported.
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
    keep_code_states(connection, [told])
    own = {**known, **told.own}
    ended = update(attempts).where(*of_attempt)
    said = {"provenance": own, "worker_code": told.code_sha256, **facts_of(own)}
    connection.execute(ended.values({**said, **end}))
    if report is not None:
        live.write(connection, report)
    failed = {key: end[key] for key in ("state", "finished_at", "error")}
    columns = failed if end["state"] == "failed" else {"state": QUEUED_IF_IN_A_SWEEP}
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(columns))
    return True


def left(connection: Connection, run_id: str, attempt: int, outcome: str, now: float) -> bool:
    """Whether `leave`, or `finish` of this run, took place with these arguments."""
    found = _attempt(connection, run_id, attempt)
    return found is not None and (found.state, found.finished_at) == (outcome, now)


def add_measurements(connection: Connection, checked: Sequence[CheckedEvaluation]) -> int:
    """Inserts measurements, and configs not known yet; returns how many of the first were new."""
    insert_missing(connection, evaluation_configs, [item.config for item in checked])
    return insert_missing(connection, evaluations, [item.measured for item in checked])


def added_measurements(
    connection: Connection, run_id: str, checked: Sequence[CheckedEvaluation]
) -> bool:
    """Whether the run has all these measurements."""
    _lock(connection, run_id)
    wanted = {item.measured["evaluation_id"] for item in checked}
    found = select(evaluations.c.evaluation_id).where(evaluations.c.run_id == run_id)
    return wanted <= set(connection.scalars(found))


def _attempt(connection: Connection, run_id: str, attempt: int) -> Row[Any] | None:
    """The attempt, once no other transaction is changing its run."""
    _lock(connection, run_id)
    key = (attempts.c.run_id == run_id, attempts.c.attempt == attempt)
    return connection.execute(select(attempts).where(*key)).one_or_none()


def _lock(connection: Connection, run_id: str) -> None:
    # On SQLite this compiles to a plain SELECT: there the whole file is locked already.
    connection.execute(select(runs.c.run_id).where(runs.c.run_id == run_id).with_for_update())
