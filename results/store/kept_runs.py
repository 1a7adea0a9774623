"""Which runs have files, and who still asks for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, select, true

from results.database.dialects import is_one_of
from results.records import KeptRun
from results.schema.tables import attempts, runs, sweep_runs, sweeps


def among(
    connection: Connection, column: ColumnElement[str], run_ids: Collection[str] | None
) -> ColumnElement[bool]:
    """Whether the column has one of these ids; any, if it is None."""
    return true() if run_ids is None else is_one_of(connection.dialect.name, column, run_ids)


def list_kept_runs(
    connection: Connection, run_ids: Collection[str] | None = None, *, all_runs: bool = False
) -> list[KeptRun]:
    """Every run that was tried here, or those among these, by id; or `all_runs`, tried or not."""
    held: dict[str, list[str]] = defaultdict(list)
    members = select(sweep_runs.c.run_id, sweeps.c.name).join_from(sweep_runs, sweeps)
    for run_id, name in connection.execute(
        members.where(among(connection, sweep_runs.c.run_id, run_ids)).order_by(sweeps.c.id)
    ):
        held[run_id].append(name)
    tried: dict[str, list[tuple[int, str | None]]] = defaultdict(list)
    here = select(attempts.c.run_id, attempts.c.attempt, attempts.c.storage).where(
        attempts.c.import_id.is_(None), among(connection, attempts.c.run_id, run_ids)
    )
    for run_id, number, storage in connection.execute(here.order_by(attempts.c.attempt)):
        tried[run_id].append((number, storage))
    known = select(
        runs.c.run_id,
        runs.c.state,
        runs.c.attempt,
        runs.c.weights_sha256.is_not(None).label("has_weights"),
    ).where(among(connection, runs.c.run_id, run_ids))
    return [
        KeptRun(
            row.run_id,
            row.state,
            row.attempt,
            row.has_weights,
            tuple(held[row.run_id]),
            tuple(tried[row.run_id]),
        )
        for row in connection.execute(known.order_by(runs.c.run_id))
        if all_runs or row.run_id in tried
    ]
