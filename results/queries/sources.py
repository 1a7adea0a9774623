"""Runs and evaluations whose code was another: of a trainer, or of plug-ins."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from results.database.dialects import is_one_of
from results.queries.config_sql import config_text
from results.schema.tables import IS_LAST_ATTEMPT, attempts, evaluation_configs, evaluations, runs

_MOST_ASKED = 100


def codes_of(connection: Connection, trainer: str) -> list[tuple[str | None, dict[str, str]]]:
    """`source` and `plugins` of the done runs of this trainer, those of the newest run first."""
    dialect = connection.dialect.name
    done = (
        select(
            config_text(dialect, ["source"]).label("source"),
            config_text(dialect, ["plugins"]).label("plugins"),
            runs.c.finished_at,
        )
        .where(runs.c.config["trainer"].as_string() == trainer, runs.c.state == "done")
        .subquery("done")
    )
    newest = (
        select(done.c.source, done.c.plugins)
        .group_by(done.c.source, done.c.plugins)
        .order_by(func.max(done.c.finished_at).desc(), done.c.source, done.c.plugins)
    )
    return [
        (json.loads(source or "null"), json.loads(plugins or "{}"))
        for source, plugins in connection.execute(newest)
    ]


def done_among(connection: Connection, run_ids: Collection[str]) -> set[str]:
    """Those of these runs that are done."""
    named = is_one_of(connection.dialect.name, runs.c.run_id, run_ids)
    found = connection.execute(select(runs.c.run_id).where(named, runs.c.state == "done"))
    return set(found.scalars())


def sources_of_evaluation(connection: Connection, kind: str) -> list[str | None]:
    """Of the known evaluations of this kind; None of those that have none."""
    source = evaluation_configs.c.config["plugin_source"].as_string()
    known = select(source).where(evaluation_configs.c.kind == kind).distinct().order_by(source)
    return list(connection.execute(known).scalars())


def measured_among(
    connection: Connection, evaluation_id: str, run_ids: Collection[str]
) -> set[str]:
    """Those of these runs that have this evaluation."""
    named = is_one_of(connection.dialect.name, evaluations.c.run_id, run_ids)
    of_it = evaluations.c.evaluation_id == evaluation_id
    return set(connection.execute(select(evaluations.c.run_id).where(named, of_it)).scalars())


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
