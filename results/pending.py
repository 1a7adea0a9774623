"""Which runs of a sweep have work left."""

from __future__ import annotations

from sqlalchemy import Connection, and_, func, or_, select

from results.database import rows_as_dicts
from results.records import NewEvaluation, PendingRun
from results.tables import evaluation_configs, evaluations, runs, sweep_evaluations, sweep_runs

_COLUMNS = (
    runs.c.run_id,
    runs.c.state,
    runs.c.config,
    runs.c.attempt,
    runs.c.model,
    runs.c.scheme,
    runs.c.depth,
    runs.c.dataset,
    runs.c.seed,
    runs.c.parameters,
    runs.c.epochs,
)


def pending_runs(connection: Connection, sweep_id: int) -> list[PendingRun]:
    """The queued runs, and the done ones that lack evaluations of the sweep, in its order."""
    wanted = [
        NewEvaluation(**row)
        for row in rows_as_dicts(
            connection.execute(
                select(evaluation_configs)
                .join(sweep_evaluations)
                .where(sweep_evaluations.c.sweep_id == sweep_id)
                .order_by(sweep_evaluations.c.position)
            )
        )
    ]
    measured_ids = (
        select(evaluations.c.run_id, evaluations.c.evaluation_id)
        .join(sweep_runs, sweep_runs.c.run_id == evaluations.c.run_id)
        .join(
            sweep_evaluations,
            and_(
                sweep_evaluations.c.sweep_id == sweep_runs.c.sweep_id,
                sweep_evaluations.c.evaluation_id == evaluations.c.evaluation_id,
            ),
        )
        .where(sweep_runs.c.sweep_id == sweep_id)
    )
    # Counted in the database, so that the many complete runs of a large sweep are not read.
    each = measured_ids.subquery("measured")
    per_run = (
        select(each.c.run_id, func.count().label("found")).group_by(each.c.run_id).subquery("found")
    )
    incomplete = func.coalesce(per_run.c.found, 0) < len(wanted)
    rows = rows_as_dicts(
        connection.execute(
            select(*_COLUMNS)
            .join(sweep_runs, sweep_runs.c.run_id == runs.c.run_id)
            .outerjoin(per_run, per_run.c.run_id == runs.c.run_id)
            .where(
                sweep_runs.c.sweep_id == sweep_id,
                or_(runs.c.state == "queued", and_(runs.c.state == "done", incomplete)),
            )
            .order_by(sweep_runs.c.position)
        )
    )
    open_ids = {row["run_id"] for row in rows}
    measured: dict[str, set[str]] = {}
    for run_id, evaluation_id in connection.execute(measured_ids):
        if run_id in open_ids:
            measured.setdefault(run_id, set()).add(evaluation_id)
    return [
        PendingRun(
            missing_evaluations=tuple(
                e for e in wanted if e.evaluation_id not in measured.get(row["run_id"], ())
            ),
            **row,
        )
        for row in rows
    ]
