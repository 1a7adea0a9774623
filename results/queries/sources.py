"""Runs and evaluations whose code was another: of a trainer, or of plug-ins."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Text, cast, func, or_, select

from results.database.dialects import ROWS_AT_ONCE, is_one_of
from results.json_values import to_json
from results.queries.config_sql import config_text
from results.schema.tables import (
    IS_LAST_ATTEMPT,
    attempts,
    code_states,
    evaluation_configs,
    evaluations,
    runs,
)

_MOST_ASKED = 100

STAGES = ("not begun", "failed", "begun", "done")
"""How far a run has come, the furthest last: one that was begun may have a checkpoint."""


def _stage(state: str, attempt: int) -> str:
    if state in ("done", "failed"):
        return state
    return "begun" if attempt else "not begun"


def runs_by_other_code(
    connection: Connection,
    trainer: str,
    code: Mapping[str, Any],
    models: Collection[str | None],
) -> Iterator[tuple[str, str, str]]:
    """The runs of this trainer and of one of these models, but for those by this code.

    Their ids, the JSON of their configs and which of STAGES they have reached, the newest first,
    read as they are asked for. `code` is what their configs are not to have under these keys, as
    JSON; None for nothing.
    """
    dialect = connection.dialect.name
    differ = [
        config_text(dialect, [key]).is_distinct_from(None if value is None else to_json(value))
        for key, value in code.items()
    ]
    others = (
        select(runs.c.run_id, cast(runs.c.config, Text).label("json"), runs.c.state, runs.c.attempt)
        .where(runs.c.config["trainer"].as_string() == trainer)
        .where(or_(*(runs.c.model.is_not_distinct_from(model) for model in models)))
        .where(or_(*differ))
        .order_by(func.coalesce(runs.c.finished_at, runs.c.created_at).desc(), runs.c.run_id)
    )
    found = connection.execute(others, execution_options={"yield_per": ROWS_AT_ONCE})
    for row in found:
        yield row.run_id, row.json, _stage(row.state, row.attempt)


def stages_of(connection: Connection, run_ids: Collection[str]) -> dict[str, str]:
    """Which of STAGES each of these runs has reached; without those that are not there."""
    named = is_one_of(connection.dialect.name, runs.c.run_id, run_ids)
    found = connection.execute(select(runs.c.run_id, runs.c.state, runs.c.attempt).where(named))
    return {run_id: _stage(state, attempt) for run_id, state, attempt in found}


def sources_of_evaluation(connection: Connection, kind: str) -> list[str | None]:
    """Of the known evaluations of this kind; None of those that have none."""
    source = evaluation_configs.c.config["plugin_source"].as_string()
    known = select(source).where(evaluation_configs.c.kind == kind).distinct().order_by(source)
    return list(connection.execute(known).scalars())


def measured_among(
    connection: Connection, kind: str, run_ids: Collection[str]
) -> set[tuple[str, str]]:
    """What these runs have of evaluations of this kind: ids of run and evaluation."""
    named = is_one_of(connection.dialect.name, evaluations.c.run_id, run_ids)
    found = (
        select(evaluations.c.run_id, evaluations.c.evaluation_id)
        .join(evaluation_configs)
        .where(named, evaluation_configs.c.kind == kind)
    )
    return {(run_id, evaluation_id) for run_id, evaluation_id in connection.execute(found)}


def files_of_source(
    connection: Connection, run_ids: Sequence[str], source: str
) -> dict[str, str] | None:
    """The digests of the files of this code by name; None if the first of these runs say none."""
    of_runs = (
        select(attempts.c.driver_code)
        .select_from(runs)
        .join(attempts, IS_LAST_ATTEMPT)
        .where(runs.c.run_id.in_(run_ids[:_MOST_ASKED]))
    )
    told = connection.execute(
        select(code_states.c.content).where(code_states.c.sha256.in_(of_runs))
    )
    for content in told.scalars():
        known: Any = content.get("sources")
        files = known.get(source) if isinstance(known, dict) else None
        if isinstance(files, dict):
            return files
    return None
