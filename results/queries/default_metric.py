"""Which metric a figure, a pivot table or a page is about if none is named."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, select

from results.queries.latest import latest_values
from results.run_columns import COLUMN, DEFAULT_METRIC
from results.schema.tables import metrics, runs


def default_metric(
    connection: Connection, passing: Sequence[ColumnElement[bool]], *, so_far: bool = False
) -> str:
    """The test accuracy, unless no run that passes has one and a trainer reported other metrics.

    Then the first by name, of those of which it says which values are better, if there are any.
    With `so_far`, what runs that are not done have reported counts where no other run has anything.
    """
    of_runs = select(metrics.c.name, metrics.c.better).join(runs, runs.c.run_id == metrics.c.run_id)
    reported = connection.execute(of_runs.where(*passing).distinct()).all()
    measured = runs.c[COLUMN[DEFAULT_METRIC].stored].is_not(None)
    if so_far and not reported:
        latest = latest_values(connection, [*passing, runs.c.state != "done"])
        names = {name for found in latest.values() for name in found.values}
        return DEFAULT_METRIC if DEFAULT_METRIC in names or not names else min(names)
    if not reported or connection.scalar(select(measured).where(measured, *passing).limit(1)):
        return DEFAULT_METRIC
    judged = {name for name, better in reported if better is not None}
    return str(min(judged or {name for name, _ in reported}))
