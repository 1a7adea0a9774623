"""How far a sweep is, and what happened to whom."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from results.queries.run_labels import RunLabels, naming_columns
from results.records import STATES, Failure, Fault, Note, SweepStatus
from results.schema.bounds import MOMENT, bounded
from results.schema.tables import (
    attempts,
    imports,
    runs,
    sweep_notes,
    sweep_runs,
    sweep_tags,
    sweeps,
)
from results.store.leases import Gone, has_not_begun, holders
from sweep_plugins.plain_text import LONGEST_ERROR, shortened


def sweep_status(
    connection: Connection, sweep_id: int, name: str, now: float, gone: Gone
) -> SweepStatus:
    """How far the sweep is, at the database's time `now`; `gone` knows which drivers are."""
    of_sweep = sweep_runs.c.sweep_id == sweep_id
    counts = dict.fromkeys(STATES, 0)
    train_seconds, imported = 0.0, 0
    last_finished: list[float] = []
    here = runs.c.imported.is_(False)
    for row in connection.execute(
        select(
            runs.c.state,
            func.count().label("number"),
            func.count().filter(runs.c.imported).label("imported"),
            func.coalesce(func.sum(bounded(runs.c.train_seconds)).filter(here), 0.0).label(
                "seconds"
            ),
            func.max(bounded(runs.c.finished_at)).filter(here).label("last"),
        )
        .join(sweep_runs)
        .where(of_sweep)
        .group_by(runs.c.state)
    ):
        counts[row.state] = row.number
        imported += row.imported if row.state == "done" else 0
        train_seconds += row.seconds
        if row.last is not None:
            last_finished.append(row.last)
    not_begun = (
        select(func.count())
        .select_from(attempts.join(sweep_runs, sweep_runs.c.run_id == attempts.c.run_id))
        .where(of_sweep, has_not_begun())
    )
    waiting = int(connection.execute(not_begun).scalar_one()) if counts["running"] else 0
    counts["running"] -= waiting
    counts["queued"] += waiting
    labels = RunLabels(connection, [sweep_id])
    failed = (
        select(
            *naming_columns(connection),
            runs.c.error,
            runs.c.attempt,
            runs.c.imported,
            bounded(runs.c.finished_at).label("ended_at"),
        )
        .join(sweep_runs)
        .where(of_sweep, runs.c.state == "failed")
        .order_by(sweep_runs.c.position)
    )
    failures = [
        Failure(
            row.run_id,
            str(labels.label_of(row)),
            shortened(row.error, LONGEST_ERROR),
            row.attempt,
            row.imported,
            row.ended_at,
        )
        for row in connection.execute(failed)
    ]
    spans = (
        select(attempts.c.state, attempts.c.started_at, bounded(attempts.c.finished_at))
        .join(sweep_runs, sweep_runs.c.run_id == attempts.c.run_id)
        .where(
            of_sweep,
            attempts.c.import_id.is_(None),
            attempts.c.started_at.between(*MOMENT),
        )
    )
    archive = (
        select(imports.c.file)
        .join(sweeps, sweeps.c.import_id == imports.c.id)
        .where(sweeps.c.id == sweep_id)
    )
    rate = rate_per_hour(map(AttemptSpan._make, connection.execute(spans)))
    return SweepStatus(
        sweep=name,
        runs=sum(counts.values()),
        counts=counts,
        failures=failures,
        faults=_faults(connection, sweep_id, labels),
        drivers=[driver for _, driver in holders(connection, sweep_id, now, gone)],
        train_seconds=train_seconds,
        rate_per_hour=rate,
        seconds_left=seconds_left(counts["queued"] + counts["running"], rate),
        last_finished_at=max(last_finished, default=None),
        imported=imported,
        imported_from=connection.scalar(archive),
        tags=list(
            connection.scalars(
                select(sweep_tags.c.tag)
                .where(sweep_tags.c.sweep_id == sweep_id)
                .order_by(sweep_tags.c.tag)
            )
        ),
        notes=[
            Note(row.number, row.text, row.created_at)
            for row in connection.execute(
                select(sweep_notes)
                .where(sweep_notes.c.sweep_id == sweep_id)
                .order_by(sweep_notes.c.number)
            )
        ],
    )


def _faults(connection: Connection, sweep_id: int, labels: RunLabels) -> list[Fault]:
    rows = connection.execute(
        select(
            *naming_columns(connection),
            attempts.c.fault,
            attempts.c.error,
            attempts.c.host,
        )
        .join(sweep_runs, sweep_runs.c.run_id == runs.c.run_id)
        .join(attempts, attempts.c.run_id == runs.c.run_id)
        .where(
            sweep_runs.c.sweep_id == sweep_id,
            attempts.c.fault.is_not(None),
            attempts.c.import_id.is_(None),
            attempts.c.attempt > runs.c.retried_after,
        )
        .order_by(sweep_runs.c.position, attempts.c.attempt)
    ).all()
    alike: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        alike.setdefault((row.run_id, row.fault), []).append(row)
    faults = []
    for (run_id, kind), found in alike.items():
        last = found[-1]
        label = str(labels.label_of(last))
        faults.append(Fault(run_id, label, kind, len(found), last.error, last.host))
    return faults


IDLE_SECONDS = 60.0


class AttemptSpan(NamedTuple):
    """When an attempt ran, in seconds since the epoch; its state as in the table."""

    state: str
    started_at: float
    finished_at: float | None


def rate_per_hour(spans: Iterable[AttemptSpan]) -> float | None:
    """Runs done an hour in the newest batch, or None while that is unknown.

    Failed ones count for nothing, since most fail at once.

    A pause in which nothing starts or ends, and which no run of usual length explains, is a clock
    that was set or a machine that slept. It counts as long as such a run might take.
    """
    batch: list[AttemptSpan] = []
    active_until = float("-inf")
    for span in sorted(spans, key=lambda span: span.started_at):
        if span.started_at > active_until + IDLE_SECONDS:
            batch = []
        batch.append(span)
        if span.state == "running":
            active_until = float("inf")
        elif _has_ended(span):
            active_until = max(active_until, span.finished_at or 0.0)
        else:
            active_until = max(active_until, span.started_at)
    ended = [span for span in batch if _has_ended(span)]
    done = [(s.started_at, s.finished_at or 0.0) for s in ended if s.state == "done"]
    if not done:
        return None
    usual = median(max(0.0, end - start) for start, end in done)
    last = max(span.finished_at or 0.0 for span in ended)
    moments = sorted({s.started_at for s in batch} | {s.finished_at or 0.0 for s in ended})
    longest = max(IDLE_SECONDS, _LONG * usual)
    seconds = sum(min(b - a, longest) for a, b in pairwise(moments) if b <= last)
    return len(done) * 3600.0 / seconds if seconds > 0 else None


_LONG = 10
"""A run may take so many times as long as another."""


def _has_ended(span: AttemptSpan) -> bool:
    return span.state in ("done", "failed") and span.finished_at is not None


def seconds_left(runs_left: int, rate: float | None) -> float | None:
    """Time until the rest is finished at this rate: 0 when nothing is left."""
    if runs_left == 0:
        return 0.0
    return None if rate is None else runs_left * 3600.0 / rate
