"""Runs that are not done: how many there are, and what they have reported so far, run by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from results.queries.latest import Latest
from results.queries.queries import Queries
from results.queries.row_columns import Columns
from results.queries.selection import Selection
from results.records import STATES, Row
from results.schema.tables import runs

_ENDED = ("failed", "cancelled")
"""States of runs that nobody is working on, nor will be."""


def unfinished_by_state(
    connection: Connection, selection: Selection, filters: Sequence[ColumnElement[bool]]
) -> dict[str, int]:
    """How many runs that pass the filters are in each state other than done."""
    conditions = [*selection.holds(runs.c.run_id), *selection.done_or_asked_for(), *filters]
    of_runs = select(runs.c.state, func.count()).where(runs.c.state != "done", *conditions)
    rows = connection.execute(of_runs.group_by(runs.c.state))
    found = {str(state): int(count) for state, count in rows}
    return {state: found[state] for state in STATES if state in found}


def left_out(states: Mapping[str, int]) -> str:
    """Such as "2 not done yet, 1 failed: left out", of unfinished runs by state."""
    ended = {state: states[state] for state in _ENDED if states.get(state)}
    waiting = sum(states.values()) - sum(ended.values())
    parts = [f"{waiting} not done yet"] if waiting else []
    parts += [f"{count} {state}" for state, count in ended.items()]
    return ", ".join(parts) + (": left out" if len(parts) > 1 else " and left out")


class SoFar(NamedTuple):
    """Runs that are not done, one row each, and a sentence about their values."""

    rows: list[Row]
    note: str


def values_so_far(
    queries: Queries,
    sweeps: Sequence[str],
    keys: Sequence[str],
    metrics: Sequence[str] | None,
    where: Sequence[str],
) -> SoFar:
    """One row a run that is not done: `run_id`, `keys`, `seed`, `state`, `epoch` and its metrics.

    `metrics` are those that are wanted; all that were reported if none is named. Where any of them
    has failed, `error` comes last. Raises as `Queries.run_rows`.
    """
    with queries.one_view():
        rows = queries.run_rows(sweeps, where=where, config=True, more_keys=["error"], keys=keys)
        latest = queries.latest(sweeps, where=where)
    if not rows:
        return SoFar([], "")  # of which no column but the usual ones is known
    columns = Columns(rows)
    of_run = [columns.find(key) for key in dict.fromkeys([*keys, "seed"])]
    reported = sorted({name for found in latest.values() for name in found.values})
    names = reported if metrics is None else list(dict.fromkeys(metrics))
    unfinished = [row for row in rows if row["state"] != "done"]
    any_error = any(row["error"] is not None for row in unfinished)
    found = []
    for row in unfinished:
        last = latest.get(row["run_id"], Latest())
        found.append(
            {
                "run_id": row["run_id"],
                **{column.name: column.read(row) for column in of_run},
                "state": row["state"],
                "epoch": last.epoch,
                **{name: last.values.get(name) for name in names},
                **({"error": row["error"]} if any_error else {}),
            }
        )
    said = ": the last values that each reported" if latest else ", and none has reported anything"
    return SoFar(found, f"none of these runs is done{said}")
