"""Reports and filters computed in Python from run rows: what the database has to agree with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

from results.analysis.imported import has_measurements_of_others
from results.analysis.reports import STATISTICS, Report
from results.analysis.statistics import summarize
from results.queries.filters import Filter, read_filters
from results.queries.row_columns import Column, Columns, sweeps_of
from results.records import RunRow
from results.run_columns import DEFAULT_METRICS


def select_rows(rows: Sequence[RunRow], where: Sequence[str]) -> list[RunRow]:
    """The rows that pass every filter; values not known yet are null, and match as null."""
    filters = read_filters(where, Columns(rows).find)
    return [row for row in rows if all(passes(row, column, f) for column, f in filters)]


def passes(row: RunRow, column: Column, wanted: Filter) -> bool:
    """Whether one filter keeps the row; of a run in several sweeps each counts.

    `all_sweeps`, if the row has it, names also those that were not asked for.
    """
    if column.name != "sweep":
        return wanted.accepts(column.read(row))
    sweeps = set(sweeps_of({"sweep": row.get("all_sweeps", row["sweep"])}))
    among = bool(sweeps) if wanted.wanted is None else wanted.wanted in sweeps
    return among == ((wanted.sign == "=") == (wanted.wanted is not None))


def report(
    rows: Sequence[RunRow],
    group_by: Sequence[str],
    metrics: Sequence[str] | None = None,
    where: Sequence[str] = (),
) -> Report:
    """As `results.analysis.reports.report`, over rows as returned by `Queries.run_rows`."""
    columns = Columns(rows)
    filters = read_filters(where, columns.find)
    keys = [columns.find(name) for name in dict.fromkeys(group_by)]
    if metrics is None:
        metrics = [*DEFAULT_METRICS, *columns.evaluations]
    measures = [columns.metric(name) for name in dict.fromkeys(metrics)]
    selected = [
        row
        for row in rows
        # Nobody waits for what no sweep holds.
        if (row["state"] == "done" or row["sweep"])
        and all(
            (column.measured and row["state"] != "done") or passes(row, column, f)
            for column, f in filters
        )
    ]
    members: dict[tuple[Any, ...], list[tuple[RunRow, tuple[Any, ...]]]] = {}
    for row in selected:
        for values in product(*(column.values(row) for column in keys)):
            members.setdefault(tuple(map(sortable, values)), []).append((row, values))
    groups = []
    for group in sorted(members):
        done = [row for row, _ in members[group] if row["state"] == "done"]
        if not done and not {"run_id", "state"} & {column.name for column in keys}:
            continue
        names = (column.name for column in keys)
        entry: dict[str, Any] = dict(zip(names, members[group][0][1], strict=True))
        entry["runs"] = len(done)
        entry.setdefault("diverged", sum(1 for row in done if row["diverged"]))
        entry["unfinished"] = len(members[group]) - len(done)
        entry.setdefault("imported", sum(1 for row in done if row["imported"]))
        shown = {column.name for column in measures}
        entry["measured_elsewhere"] = sum(has_measurements_of_others(row, shown) for row in done)
        if own := {column.name for column in measures if column.reported}:
            null = [
                any(m["value"] is None and m["name"] in own for m in row["metrics"]) for row in done
            ]
            entry.setdefault("not_finite", sum(null))
        for column in measures:
            summary = asdict(summarize(column.read(row) for row in done))
            entry |= {f"{column.name}_{name}": summary[name] for name in STATISTICS}
        groups.append(entry)
    finished = sum(row["state"] == "done" for row in selected)
    states = Counter(row["state"] for row in selected if row["state"] != "done")
    return Report(
        group_by=tuple(column.name for column in keys),
        metrics=tuple(column.name for column in measures),
        described={column.name: column.metric for column in (*keys, *measures)},
        groups=groups,
        runs=finished,
        unfinished=len(selected) - finished,
        imported=sum(1 for row in selected if row["state"] == "done" and row["imported"]),
        measured_elsewhere=sum(
            has_measurements_of_others(row, {column.name for column in measures})
            for row in selected
            if row["state"] == "done"
        ),
        states=states,
    )


def sortable(value: Any) -> tuple[int, Any]:
    """A key that groups equal values, tells True from 1, and puts null last."""
    if isinstance(value, bool):
        return (0, value)
    if isinstance(value, int | float):
        return (1, value)
    if isinstance(value, str):
        return (2, value)
    if value is None:
        return (4, None)
    return (3, tuple(sortable(item) for item in value))
