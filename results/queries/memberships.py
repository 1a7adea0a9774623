"""What a run may have several of: sweeps that hold it, and tags."""

from __future__ import annotations

from sqlalchemy import Select, Subquery, select, union

from results.schema.tables import run_tags, sweep_runs, sweep_tags, sweeps


def memberships(name: str) -> Subquery:
    """Rows of run_id and `value`: "sweep", the names of a run's sweeps, or "tag".

    The tags of a run are its own and those of its sweeps, each once.
    """
    return union(*_OF[name]).subquery(f"{name}_memberships")


_OF: dict[str, tuple[Select[tuple[str, str]], ...]] = {
    "sweep": (
        select(sweep_runs.c.run_id, sweeps.c.name.label("value")).join_from(sweep_runs, sweeps),
    ),
    "tag": (
        select(run_tags.c.run_id, run_tags.c.tag.label("value")),
        select(sweep_runs.c.run_id, sweep_tags.c.tag.label("value")).join_from(
            sweep_runs, sweep_tags, sweep_tags.c.sweep_id == sweep_runs.c.sweep_id
        ),
    ),
}
