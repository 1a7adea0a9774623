"""Run rows put into a database as they are, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine, insert

import databases
from results.run_columns import RUN_KEYS
from results.schema.tables import (
    evaluation_configs,
    evaluations,
    runs,
    sweep_evaluations,
    sweep_runs,
    sweeps,
)

_COLUMNS = [*(key for key in RUN_KEYS if key in runs.c), "config"]


def evaluation_id(name: str) -> str:
    """The id of the one evaluation of this name."""
    return sha256(name.encode()).hexdigest()[:16]


def replace_rows(
    engine: Engine,
    rows: Sequence[Mapping[str, Any]],
    asked_for: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Makes these the only runs, in the sweeps that they name.

    `asked_for` are the names of the evaluations that each sweep asks for. An evaluation is known
    by its name, or by an `evaluation_id` next to it.
    """
    with engine.begin() as connection:
        databases.empty(connection)
        asked_for = asked_for or {}
        names = dict.fromkeys(asked_for)
        names |= dict.fromkeys(name for row in rows for name in row["sweep"].split(",") if name)
        _insert(
            connection,
            sweeps,
            (
                {"id": number, "name": name, "created_at": 1.0, "updated_at": 2.0}
                for number, name in enumerate(names)
            ),
        )
        _insert(connection, runs, map(_run, rows))
        _insert_evaluations(connection, rows, asked_for)
        for number, name in enumerate(names):
            members = [row["run_id"] for row in rows if name in row["sweep"].split(",")]
            _insert(
                connection,
                sweep_runs,
                (
                    {"sweep_id": number, "run_id": run_id, "position": position}
                    for position, run_id in enumerate(members)
                ),
            )
            _insert(
                connection,
                sweep_evaluations,
                (
                    {"sweep_id": number, "evaluation_id": evaluation_id(e), "position": position}
                    for position, e in enumerate(asked_for.get(name, ()))
                ),
            )


def _run(row: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {key: row[key] for key in _COLUMNS}
    done, failed = row["state"] == "done", row["state"] == "failed"
    return values | {
        "diverged": bool(row["diverged"]) if done else None,
        "attempt": max(row["attempts"], 1),
        "error": "broken" if failed else None,
        "created_at": 1.0,
        "finished_at": 2.0 if done or failed else None,
    }


def _insert_evaluations(
    connection: Connection,
    rows: Sequence[Mapping[str, Any]],
    asked_for: Mapping[str, Sequence[str]],
) -> None:
    measured = [
        (row["run_id"], e.get("evaluation_id", evaluation_id(e["name"])), e)
        for row in rows
        for e in row["evaluations"]
    ]
    kinds = {evaluation_id(name): {"name": name} for names in asked_for.values() for name in names}
    kinds |= {key: e for _, key, e in measured}
    _insert(
        connection,
        evaluation_configs,
        (
            {
                "evaluation_id": key,
                "name": kind["name"],
                "kind": kind.get("kind", "noise"),
                "level": kind.get("level"),
                "config": {},
            }
            for key, kind in kinds.items()
        ),
    )
    _insert(
        connection,
        evaluations,
        (
            {"run_id": run_id, "evaluation_id": key, "accuracy": e["accuracy"], "loss": None}
            for run_id, key, e in measured
        ),
    )


def _insert(connection: Connection, table: Any, rows: Iterable[Mapping[str, Any]]) -> None:
    values = [dict(row) for row in rows]
    if values:
        connection.execute(insert(table), values)
