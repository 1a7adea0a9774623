"""Why no run passes some filters, in words."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import literal, select

from results.analysis.reports import Report
from results.analysis.sort_keys import sort_key
from results.errors import listed
from results.metrics import shown
from results.queries.columns import StoredColumn, StoredColumns
from results.queries.filters import Filter, compile_filters, read_filters
from results.queries.queries import Queries
from results.queries.selection import Selection
from results.schema.tables import runs
from sweep_plugins import did_you_mean, meaning, path_to

_LISTED = 40


def unmatched(queries: Queries, sweeps: Sequence[str], where: Sequence[str]) -> list[str]:
    """A sentence for each filter that no run of these sweeps passes, with what runs have there.

    Or one sentence if only all of them together keep none, or none that a report counts. Raises as
    `Queries.run_rows`.
    """
    with queries.view() as connection:
        selection = Selection(connection, sweeps)
        columns = StoredColumns(connection, selection)
        some = select(literal(1)).select_from(runs).where(*selection.holds(runs.c.run_id)).limit(1)
        found = [
            f"no run has {text.strip()}{_there(columns, column, wanted)}"
            for text, (column, wanted) in zip(where, read_filters(where, columns.find), strict=True)
            if connection.scalar(
                some.where(*compile_filters(connection.dialect.name, columns, [text]))
            )
            is None
        ]
        passing = some.where(*compile_filters(connection.dialect.name, columns, where))
        if where and not found and connection.scalar(passing) is not None:
            found = [f"no run of {', '.join(where)} is done, and no sweep holds one"]
    if where and not found:
        found = [f"no run passes all of {', '.join(where)}, though each of them is true of some"]
    return found


def without_values(queries: Queries, found: Report, sweeps: Sequence[str]) -> list[str]:
    """A sentence for each key and metric of a report that is null throughout, with what is meant.

    Of those that are the end of a path, as of an option of a trainer.
    """
    names = [key for key in found.group_by if all(group[key] is None for group in found.groups)]
    names += [m for m in found.metrics if all(group[f"{m}_mean"] is None for group in found.groups)]
    if not names or not found.groups:
        return []
    with queries.view() as connection:
        paths = StoredColumns(connection, Selection(connection, sweeps)).set_paths()
    meant = {name: path for name in names if (path := path_to(name, paths)) is not None}
    return [f"no run has a value of {name}{meaning(path)}" for name, path in meant.items()]


def of_other_runs(queries: Queries, found: Report, sweeps: Sequence[str]) -> str | None:
    """A sentence about what other runs of these sweeps reported, and none of the report's has.

    For a report of which nobody named the metrics, whose tables have no columns for these.
    """
    if not found.runs:
        return None
    with queries.view() as connection:
        known = StoredColumns(connection, Selection(connection, sweeps)).metrics
    others = [name for name in known if name not in found.metrics]
    return f"left out, as none of these runs has a value: {listed(others)}" if others else None


def _there(columns: StoredColumns, column: StoredColumn, wanted: Filter) -> str:
    """What is meant, perhaps, and what runs have: of many numbers the least and the greatest."""
    values = {sort_key(v): v for v in map(column.value, columns.stored_values(column))}
    ordered = [values[key] for key in sorted(values) if values[key] not in (None, "")]
    # Texts as they have to be written, with all their digits; of a digest the first are enough.
    cut = column.metric.digest
    texts = [v if isinstance(v, str) and not cut else str(shown(v, column.metric)) for v in ordered]
    if column.kind == "number" and len(texts) > _LISTED:
        return f" (known: {texts[0]} to {texts[-1]})"
    if not ordered:
        meant = meaning(path_to(column.name, columns.set_paths()))
    else:
        meant = did_you_mean(str(wanted.wanted), texts) if column.kind == "text" else ""
    several = column.kind in ("text", "list") and any("," in text for text in texts)
    return f"{meant} (known: {listed(list(map(repr, texts)) if several else texts)})"
