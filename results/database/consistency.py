"""What must hold between the rows of different tables, and no constraint of a table can say."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, and_, exists, or_, select

from results.provenance import digest
from results.schema.tables import (
    OF_RESULTS,
    REPORTED_LIVE,
    attempts,
    code_states,
    runs,
    sweep_specs,
    sweeps,
)


def contradictions(connection: Connection) -> Iterator[str]:
    """What contradicts something else, in words."""
    without_spec = ~exists().where(sweep_specs.c.sweep_id == sweeps.c.id)
    for (name,) in connection.execute(select(sweeps.c.name).where(without_spec)):
        yield f"sweep {name!a} has no spec"
    yield from _of_attempts(connection)
    stated = connection.execute(select(code_states), execution_options={"yield_per": 100})
    for sha256, content in stated:
        if digest(content) != sha256:
            yield f"code_states.content is not what has the SHA-256 {sha256}"
    for table in OF_RESULTS:
        live = table in REPORTED_LIVE
        query = select(runs.c.run_id, runs.c.state).where(
            runs.c.attempt == 0 if live else runs.c.state != "done",
            exists().where(table.c.run_id == runs.c.run_id),
        )
        without = "and was never tried" if live else "and not done"
        for run_id, state in connection.execute(query):
            yield f"{table.name} has rows of run {run_id}, which is {state}, {without}"


def _of_attempts(connection: Connection) -> Iterator[str]:
    """A run is done, or running, by its newest attempt; none is later, unless the run is done."""
    decisive = ("done", "running")
    newest = and_(
        attempts.c.run_id == runs.c.run_id,
        attempts.c.attempt == runs.c.attempt,
        attempts.c.state == runs.c.state,
    )
    without_attempt = select(runs.c.run_id, runs.c.state, runs.c.attempt).where(
        runs.c.state.in_(decisive), ~exists().where(newest)
    )
    for run_id, state, attempt in connection.execute(without_attempt):
        yield f"run {run_id} is {state}, attempt {attempt}, and has no such attempt"
    another = or_(
        and_(attempts.c.state.in_(decisive), ~newest),
        and_(runs.c.state != "done", attempts.c.attempt > runs.c.attempt),
    )
    facts = (attempts.c.attempt, attempts.c.state, runs.c.run_id, runs.c.state, runs.c.attempt)
    with_runs = attempts.join(runs, runs.c.run_id == attempts.c.run_id)
    query = select(*facts).select_from(with_runs).where(another)
    for attempt, state, run_id, run_state, newest_attempt in connection.execute(query):
        yield (
            f"attempt {attempt} is {state}, and run {run_id} is {run_state},"
            f" attempt {newest_attempt}"
        )
