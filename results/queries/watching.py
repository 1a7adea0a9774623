"""What can be seen of runs while they train."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, not_, select

from results.queries.latest import Latest, latest_values
from results.queries.run_labels import RunLabels, naming_columns
from results.records import RunningRun, RunProgress
from results.schema.tables import (
    IS_LAST_ATTEMPT,
    attempts,
    epoch_metrics,
    epochs,
    runs,
    sweep_runs,
)
from results.store.leases import began_at, has_not_begun

_OF_EVERY_RUN = (
    epochs.c.learning_rate,
    epochs.c.train_loss,
    epochs.c.train_accuracy,
    epochs.c.test_loss,
    epochs.c.test_accuracy,
)


def running_runs(connection: Connection, sweep_id: int, now: float) -> list[RunningRun]:
    """The runs of the sweep that are running at the database's time `now`, the longest first."""
    of_sweep = (
        sweep_runs.c.sweep_id == sweep_id,
        sweep_runs.c.run_id == runs.c.run_id,
        runs.c.state == "running",
    )
    rows = connection.execute(
        select(
            *naming_columns(connection), runs.c.attempt, runs.c.epochs, began_at().label("began_at")
        )
        .join(attempts, IS_LAST_ATTEMPT)
        .where(*of_sweep, not_(has_not_begun()))
        .order_by("began_at", sweep_runs.c.position)
    ).all()
    is_member = select(sweep_runs.c.run_id).where(*of_sweep).correlate(runs).exists()
    latest = latest_values(connection, [runs.c.state == "running", is_member])
    labels = RunLabels(connection, [sweep_id])
    found = []
    for row in rows:
        label = labels.label_of(row)
        reported = latest.get(row.run_id, Latest())
        seconds = max(0.0, now - row.began_at)
        found.append(
            RunningRun(
                run_id=row.run_id,
                label=str(label),
                short=label.short if row.model is None else None,
                attempt=row.attempt,
                seconds=seconds,
                epochs=row.epochs,
                epoch=reported.epoch,
                values=reported.values,
            )
        )
    return found


def run_progress(connection: Connection, run_id: str, since: int) -> RunProgress:
    """How far the run is, and the epochs from `since` on."""
    of_run = runs.c.run_id == run_id
    columns = (runs.c.state, runs.c.attempt, runs.c.epochs, runs.c.error)
    row = connection.execute(select(*naming_columns(connection), *columns).where(of_run)).one()
    found: dict[int, dict[str, Any]] = {}
    later = select(epochs.c.epoch, *_OF_EVERY_RUN).where(
        epochs.c.run_id == run_id, epochs.c.epoch >= since
    )
    for epoch, *values in connection.execute(later):
        named = zip(_OF_EVERY_RUN, values, strict=True)
        found[epoch] = {column.name: value for column, value in named if value is not None}
    names = latest_values(connection, [of_run]).get(run_id, Latest()).values
    values_by_name = select(epoch_metrics.c.epoch, epoch_metrics.c.name, epoch_metrics.c.value)
    reported = values_by_name.where(
        epoch_metrics.c.run_id == run_id,
        # Named, so that they are found by the key.
        epoch_metrics.c.name.in_(sorted(names)),
        epoch_metrics.c.epoch >= since,
    )
    for epoch, name, value in connection.execute(reported.order_by(epoch_metrics.c.name)):
        found.setdefault(epoch, {})[name] = value
    held_by = select(sweep_runs.c.sweep_id).where(sweep_runs.c.run_id == run_id)
    labels = RunLabels(connection, list(connection.scalars(held_by)))
    return RunProgress(
        run_id=run_id,
        label=str(labels.label_of(row)),
        state=row.state,
        attempt=row.attempt,
        epochs=row.epochs,
        error=row.error,
        reported=dict(sorted(found.items())),
    )
