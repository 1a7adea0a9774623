"""The sweeps that a database has."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from results.database.dialects import rows_as_dicts
from results.queries.rows import newest_specs
from results.records import Row
from results.schema.tables import runs, sweep_runs, sweeps


def list_sweeps(connection: Connection) -> list[Row]:
    """Every sweep, as `Queries.sweep_rows` has them."""
    counted = (
        select(
            sweep_runs.c.sweep_id,
            func.count().label("runs"),
            func.count().filter(runs.c.state == "done").label("done"),
        )
        .join(runs, runs.c.run_id == sweep_runs.c.run_id)
        .group_by(sweep_runs.c.sweep_id)
        .subquery("counted")
    )
    newest = newest_specs()
    query = (
        select(
            sweeps.c.name,
            newest.c.description,
            newest.c.published,
            sweeps.c.created_at,
            sweeps.c.updated_at,
            func.coalesce(counted.c.runs, 0).label("runs"),
            func.coalesce(counted.c.done, 0).label("done"),
            sweeps.c.import_id.is_not(None).label("imported"),
        )
        .join(newest, newest.c.sweep_id == sweeps.c.id)
        .outerjoin(counted, counted.c.sweep_id == sweeps.c.id)
    )
    return rows_as_dicts(connection.execute(query.order_by(sweeps.c.id)))
