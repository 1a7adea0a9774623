"""The sweeps that a database has, with the newest spec of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Subquery, and_, func, select

from results.database.dialects import rows_as_dicts
from results.records import Row
from results.schema.tables import runs, sweep_runs, sweep_specs, sweeps


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


def list_specs(connection: Connection, sweep_ids: Iterable[int]) -> list[dict[str, Any]]:
    """The newest spec of each sweep, in the order given.

    Keys: `name`, `version`, `source`, `overrides`, `created_at`, `published`, `text`.
    """
    newest = newest_specs()
    columns = ("version", "source", "overrides", "created_at", "published", "text")
    query = select(sweeps.c.id, sweeps.c.name, *(newest.c[name] for name in columns)).join(
        newest, newest.c.sweep_id == sweeps.c.id
    )
    found = {row.pop("id"): row for row in rows_as_dicts(connection.execute(query))}
    return [found[sweep_id] for sweep_id in sweep_ids if sweep_id in found]


def newest_specs() -> Subquery:
    """The newest version of every sweep's spec."""
    versions = (
        select(sweep_specs.c.sweep_id, func.max(sweep_specs.c.version).label("version"))
        .group_by(sweep_specs.c.sweep_id)
        .subquery("versions")
    )
    is_newest = and_(
        versions.c.sweep_id == sweep_specs.c.sweep_id, versions.c.version == sweep_specs.c.version
    )
    return select(sweep_specs).join(versions, is_newest).subquery("newest")
