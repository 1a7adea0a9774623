"""How far a sweep is, and what happened to whom."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from results.rates import AttemptSpan, rate_per_hour, seconds_left
from results.records import STATES, DriverStatus, Failure, Fault, SweepStatus
from results.schema.tables import attempts, runs, sweep_runs
from results.store.leases import Gone, holders


def sweep_status(
    connection: Connection, sweep_id: int, name: str, now: float, gone: Gone
) -> SweepStatus:
    """How far the sweep is, at the database's time `now`; `gone` knows which drivers are."""
    of_sweep = sweep_runs.c.sweep_id == sweep_id
    counts = dict.fromkeys(STATES, 0)
    train_seconds = 0.0
    last_finished: list[float] = []
    for row in connection.execute(
        select(
            runs.c.state,
            func.count().label("number"),
            func.coalesce(func.sum(runs.c.train_seconds), 0.0).label("seconds"),
            func.max(runs.c.finished_at).label("last"),
        )
        .join(sweep_runs)
        .where(of_sweep)
        .group_by(runs.c.state)
    ):
        counts[row.state] = row.number
        train_seconds += row.seconds
        if row.last is not None:
            last_finished.append(row.last)
    failures = [
        Failure(
            run_id=row.run_id,
            label=_label(row),
            error=row.error,
            attempts=row.attempt,
        )
        for row in connection.execute(
            select(runs)
            .join(sweep_runs)
            .where(of_sweep, runs.c.state == "failed")
            .order_by(sweep_runs.c.position)
        )
    ]
    rate = rate_per_hour(
        AttemptSpan(row.state, row.started_at, row.finished_at)
        for row in connection.execute(
            select(attempts.c.state, attempts.c.started_at, attempts.c.finished_at)
            .join(sweep_runs, sweep_runs.c.run_id == attempts.c.run_id)
            .where(of_sweep)
        )
    )
    return SweepStatus(
        sweep=name,
        runs=sum(counts.values()),
        counts=counts,
        failures=failures,
        faults=_faults(connection, sweep_id),
        drivers=[
            DriverStatus(holder.host, holder.pid, holder.runs, holder.lease_left, holder.gone)
            for holder in holders(connection, sweep_id, now, gone)
        ],
        train_seconds=train_seconds,
        rate_per_hour=rate,
        seconds_left=seconds_left(counts["queued"] + counts["running"], rate),
        last_finished_at=max(last_finished, default=None),
    )


def count_runs(connection: Connection, sweep_id: int) -> dict[str, int]:
    """The sweep's runs by state; every state is a key."""
    rows = connection.execute(
        select(runs.c.state, func.count().label("number"))
        .join(sweep_runs)
        .where(sweep_runs.c.sweep_id == sweep_id)
        .group_by(runs.c.state)
    )
    return dict.fromkeys(STATES, 0) | {row.state: row.number for row in rows}


def _faults(connection: Connection, sweep_id: int) -> list[Fault]:
    rows = connection.execute(
        select(
            *(runs.c[name] for name in ("run_id", "model", "scheme", "depth", "seed")),
            attempts.c.fault,
            attempts.c.error,
            attempts.c.host,
        )
        .join(sweep_runs, sweep_runs.c.run_id == runs.c.run_id)
        .join(attempts, attempts.c.run_id == runs.c.run_id)
        .where(
            sweep_runs.c.sweep_id == sweep_id,
            attempts.c.fault.is_not(None),
            attempts.c.attempt > runs.c.retried_after,
        )
        .order_by(sweep_runs.c.position, attempts.c.attempt)
    ).all()
    alike: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        alike.setdefault((row.run_id, row.fault), []).append(row)
    return [
        Fault(run_id, _label(found[-1]), kind, len(found), found[-1].error, found[-1].host)
        for (run_id, kind), found in alike.items()
    ]


def _label(run: Any) -> str:
    return f"{run.model} ({run.scheme}), depth {run.depth}, seed {run.seed}"
