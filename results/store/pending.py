"""Which runs of a sweep have work left."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, Select, and_, false, func, or_, select

from results.database.dialects import rows_as_dicts
from results.records import STATES, NewEvaluation, PendingRun
from results.schema.tables import (
    attempts,
    evaluation_configs,
    evaluations,
    runs,
    sweep_evaluations,
    sweep_runs,
)
from sweep_plugins.schemes.scheme_label import label_in

_COLUMNS = [runs.c[field.name] for field in fields(PendingRun) if field.name in runs.c]


_SAME_EVALUATION = sweep_evaluations.c.evaluation_id == evaluations.c.evaluation_id


def pending_runs(connection: Connection, sweep_id: int) -> list[PendingRun]:
    """The queued runs, and the done ones that lack evaluations of the sweep, in its order."""
    asked_for = (
        select(evaluation_configs)
        .join(sweep_evaluations)
        .where(sweep_evaluations.c.sweep_id == sweep_id)
        .order_by(sweep_evaluations.c.position)
    )
    wanted = [NewEvaluation(**row) for row in rows_as_dicts(connection.execute(asked_for))]
    measured_ids = (
        select(evaluations.c.run_id, evaluations.c.evaluation_id)
        .join(sweep_runs, sweep_runs.c.run_id == evaluations.c.run_id)
        .join(
            sweep_evaluations,
            and_(sweep_evaluations.c.sweep_id == sweep_runs.c.sweep_id, _SAME_EVALUATION),
        )
        .where(sweep_runs.c.sweep_id == sweep_id)
    )
    # Counted in the database, so that the many complete runs of a large sweep are not read; run by
    # run, by their keys. Postgres knows nothing yet of a sweep that was just saved, takes it for
    # one of a single run, and would join its runs with its measurements by comparing all with all.
    of_run = (
        select(func.count())
        .select_from(evaluations.join(sweep_evaluations, _SAME_EVALUATION))
        .where(evaluations.c.run_id == runs.c.run_id, sweep_evaluations.c.sweep_id == sweep_id)
        .correlate(runs)
        .scalar_subquery()
    )
    incomplete = of_run < len(wanted) if wanted else false()
    open_runs = (
        select(*_COLUMNS)
        .join(sweep_runs, sweep_runs.c.run_id == runs.c.run_id)
        .where(
            sweep_runs.c.sweep_id == sweep_id,
            or_(runs.c.state == "queued", and_(runs.c.state == "done", incomplete)),
        )
    )
    rows = rows_as_dicts(connection.execute(open_runs.order_by(sweep_runs.c.position)))
    for row in rows:
        row["scheme"] = label_in(row["config"], row["scheme"])
    histories, nothing = _histories(connection, open_runs), _History()
    open_ids = {row["run_id"] for row in rows}
    measured = {
        (run_id, evaluation_id)
        for run_id, evaluation_id in connection.execute(measured_ids)
        if run_id in open_ids
    }
    return [
        PendingRun(
            faults=dict(histories.get(row["run_id"], nothing).faults),
            storages=tuple(histories.get(row["run_id"], nothing).storages),
            missing_evaluations=tuple(
                e for e in wanted if (row["run_id"], e.evaluation_id) not in measured
            ),
            **row,
        )
        for row in rows
    ]


@dataclass
class _History:
    """What the attempts of a run say: faults that count, and storages, newest first."""

    faults: Counter[str] = field(default_factory=Counter)
    storages: dict[str, None] = field(default_factory=dict)


def _histories(connection: Connection, open_runs: Select[Any]) -> dict[str, _History]:
    ids = open_runs.with_only_columns(runs.c.run_id, runs.c.retried_after).subquery("open_runs")
    rows = connection.execute(
        select(
            attempts.c.run_id,
            attempts.c.fault,
            attempts.c.storage,
            (attempts.c.attempt > ids.c.retried_after).label("counts"),
        )
        .join(ids, ids.c.run_id == attempts.c.run_id)
        # What an archive says of faults elsewhere does not count here, and a place that it names is
        # never opened: nobody here has asked for that.
        .where(
            attempts.c.import_id.is_(None),
            or_(attempts.c.fault.is_not(None), attempts.c.storage.is_not(None)),
        )
        .order_by(attempts.c.run_id, attempts.c.attempt.desc())
    )
    found: defaultdict[str, _History] = defaultdict(_History)
    for row in rows:
        history = found[row.run_id]
        if row.fault is not None and row.counts:
            history.faults[row.fault] += 1
        if row.storage is not None:
            history.storages[row.storage] = None
    return found


def count_imported(connection: Connection, sweep_id: int) -> int:
    """How many of the sweep's done runs an archive brought."""
    of_sweep = (sweep_runs.c.sweep_id == sweep_id, runs.c.state == "done", runs.c.imported)
    query = select(func.count()).select_from(runs.join(sweep_runs)).where(*of_sweep)
    return int(connection.execute(query).scalar_one())


def count_runs(connection: Connection, sweep_id: int) -> dict[str, int]:
    """The sweep's runs by state; every state is a key."""
    rows = connection.execute(
        select(runs.c.state, func.count().label("number"))
        .join(sweep_runs)
        .where(sweep_runs.c.sweep_id == sweep_id)
        .group_by(runs.c.state)
    )
    return dict.fromkeys(STATES, 0) | {row.state: row.number for row in rows}
