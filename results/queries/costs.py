"""What training took so far, for estimating what it will."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from results.database.dialects import rows_as_dicts
from results.records import CostSample
from results.schema.bounds import bounded
from results.schema.tables import IS_LAST_ATTEMPT, attempts, runs


def cost_samples(connection: Connection) -> list[CostSample]:
    """As `Queries.cost_samples` has them."""
    kind = [runs.c.config[key].as_string().label(key) for key in ("precision", "compile")]
    name = attempts.c.provenance["device_name"].as_string().label("device_name")
    keys = (
        runs.c.model,
        runs.c.depth,
        runs.c.parameters,
        runs.c.dataset,
        runs.c.epochs,
        attempts.c.host,
        attempts.c.device,
    )
    grouped = (
        select(
            *keys,
            name,
            *kind,
            func.count().label("runs"),
            func.avg(bounded(runs.c.train_seconds)).label("train_seconds"),
            func.avg(bounded(runs.c.images_per_second)).label("images_per_second"),
            func.min(runs.c.run_id).label("example"),
        )
        .join(attempts, IS_LAST_ATTEMPT)
        .where(
            runs.c.state == "done",
            runs.c.diverged.is_(False),
            runs.c.imported.is_(False),
            bounded(runs.c.train_seconds).is_not(None),
            func.coalesce(attempts.c.first_epoch, 1) <= 1,
        )
        # By its name: the same expression twice would have two sets of parameters.
        .group_by(*keys, *(column.name for column in (name, *kind)))
        .subquery("grouped")
    )
    query = (
        select(
            *(c for c in grouped.c if c.name not in ("example", "precision", "compile")),
            runs.c.config,
        )
        .join(runs, runs.c.run_id == grouped.c.example)
        .order_by(grouped.c.model, grouped.c.depth, grouped.c.example)
    )
    return [CostSample(**row) for row in rows_as_dicts(connection.execute(query))]
