"""Which runs have files, and who still asks for them."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, select

from results.records import KeptRun
from results.schema.tables import attempts, runs, sweep_runs, sweeps


def list_kept_runs(connection: Connection) -> list[KeptRun]:
    """Every run that was tried here, by id."""
    held: dict[str, list[str]] = defaultdict(list)
    members = select(sweep_runs.c.run_id, sweeps.c.name).join_from(sweep_runs, sweeps)
    for run_id, name in connection.execute(members.order_by(sweeps.c.id)):
        held[run_id].append(name)
    tried: dict[str, list[tuple[int, str | None]]] = defaultdict(list)
    here = select(attempts.c.run_id, attempts.c.attempt, attempts.c.storage).where(
        attempts.c.import_id.is_(None)
    )
    for run_id, number, storage in connection.execute(here.order_by(attempts.c.attempt)):
        tried[run_id].append((number, storage))
    known = select(
        runs.c.run_id,
        runs.c.state,
        runs.c.attempt,
        runs.c.weights_sha256.is_not(None).label("has_weights"),
    ).order_by(runs.c.run_id)
    return [
        KeptRun(
            row.run_id,
            row.state,
            row.attempt,
            row.has_weights,
            tuple(held[row.run_id]),
            tuple(tried[row.run_id]),
        )
        for row in connection.execute(known)
        if row.run_id in tried
    ]
