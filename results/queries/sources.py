"""Runs of trainers whose code was another: a config's `source`, the SHA-256 of that code."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from results.database.dialects import is_one_of
from results.schema.tables import IS_LAST_ATTEMPT, attempts, runs

_MOST_ASKED = 100


def sources_of(connection: Connection, trainer: str) -> list[str]:
    """Of the done runs of this trainer, that of the newest run first."""
    source = runs.c.config["source"].as_string().label("source")
    done = (
        select(source, runs.c.finished_at)
        .where(runs.c.config["trainer"].as_string() == trainer, runs.c.state == "done")
        .subquery("done")
    )
    newest = (
        select(done.c.source)
        .where(done.c.source.is_not(None))
        .group_by(done.c.source)
        .order_by(func.max(done.c.finished_at).desc(), done.c.source)
    )
    return list(connection.execute(newest).scalars())


def done_among(connection: Connection, run_ids: Collection[str]) -> set[str]:
    """Those of these runs that are done."""
    named = is_one_of(connection.dialect.name, runs.c.run_id, run_ids)
    found = connection.execute(select(runs.c.run_id).where(named, runs.c.state == "done"))
    return set(found.scalars())


def files_of_source(
    connection: Connection, run_ids: Sequence[str], source: str
) -> dict[str, str] | None:
    """The digests of the files of this code by name; None if the first of these runs say none."""
    told = connection.execute(
        select(attempts.c.provenance)
        .select_from(runs)
        .join(attempts, IS_LAST_ATTEMPT)
        .where(runs.c.run_id.in_(run_ids[:_MOST_ASKED]))
    )
    for provenance in told.scalars():
        known: Any = (provenance or {}).get("sources")
        files = known.get(source) if isinstance(known, dict) else None
        if isinstance(files, dict):
            return files
    return None
