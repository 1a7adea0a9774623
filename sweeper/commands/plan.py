"""`sweep plan`: what a spec would run."""

from __future__ import annotations

from typing import Any

from sweeper.commands import options
from sweeper.commands.output import say, write_table


def plan(
    spec: options.SpecArgument,
    changes: options.SetOption = [],  # noqa: B006
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
    format: options.FormatOption = "table",  # noqa: A002
    raw: options.RawOption = False,
    output: options.OutputOption = None,
) -> None:
    """Show what SPEC would run; changes no result."""
    from results.errors import NoDatabaseError
    from results.queries.queries import Queries
    from sweeper.planning.cost import CostModel
    from sweeper.planning.meant_fractions import meant_fractions
    from sweeper.planning.plan import plan_rows
    from sweeper.scheduling.progress import format_seconds
    from sweeper.spec.spec import load_spec
    from trainers.models.counting import read_counts, write_counts

    laboratory = options.home_at(home, db)
    read_counts(laboratory.networks)
    loaded = load_spec(spec, changes)
    costs, stored = CostModel({}), {}
    try:
        with Queries.open(laboratory.database) as queries:
            costs = CostModel.from_samples(queries.cost_samples(), device=loaded.resources.device)
            ids = [config.run_id for config in loaded.configs]
            stored = {row["run_id"]: row for row in queries.run_rows(run_ids=ids)}
    except NoDatabaseError:
        pass  # nothing has run yet
    rows = plan_rows(loaded, stored, costs)
    write_counts(laboratory.networks)
    write_table(rows if format == "json" else _planned(rows), format, output, raw=raw)
    todo = [r["estimated_seconds"] for r in rows if r["state"] not in ("done", "failed")]
    failed = sum(row["state"] == "failed" for row in rows)
    imported = sum(row["imported"] and row["state"] == "done" for row in rows)
    elsewhere = f" ({imported} imported)" if imported else ""
    basis = "from finished runs" if costs.calibrated else "a guess: nothing has run here yet"
    say(
        f"{len(rows)} runs, {len(rows) - len(todo) - failed} done{elsewhere}, {failed} failed; "
        f"{len(todo)} to train: {format_seconds(sum(todo))} of work on one slot ({basis})"
    )
    if meant := meant_fractions(loaded.configs):
        say(meant)


def _planned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As columns; `settings` only where anything varies that the others do not show."""
    varied = any(row["settings"] for row in rows)
    columns = [column for column in _PLANNED if varied or column != "settings"]
    return [{column: _cell(row, column) for column in columns} for row in rows]


def _cell(row: dict[str, Any], column: str) -> Any:
    return _said(row[column]) if column == "settings" else row[column]


def _said(value: Any) -> str:
    from sweep_plugins.schemes.exact_text import exact_text

    if isinstance(value, dict):
        return ", ".join(f"{path.split('.')[-1]} {_said(at)}" for path, at in value.items())
    if isinstance(value, list):
        return f"[{', '.join(map(_said, value))}]"
    return exact_text(value) if isinstance(value, float) else str(value)


_PLANNED = (
    "run_id", "state", "model", "scheme", "depth", "settings", "dataset", "seed",
    "root_moduli", "zero_stable", "parameters", "estimated_seconds", "imported",
)  # fmt: skip
