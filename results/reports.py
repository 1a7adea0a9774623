"""Mean and spread of metrics over groups of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from results.columns import Columns
from results.filters import read_filters
from results.records import RunRow
from results.statistics import summarize

DEFAULT_METRICS = ("test_accuracy", "best_test_accuracy", "generalization_gap")
STATISTICS = ("mean", "std", "min", "max")


@dataclass(frozen=True, slots=True)
class Report:
    """Groups of runs with statistics of their metrics.

    A group has the keys of `group_by`, then `runs` (done), `diverged` and `unfinished` (counts;
    `diverged` is left out if it is a key already), then `<metric>_mean`, `_std` (n - 1, None for
    one run), `_min` and `_max` for every metric.

    `runs` are the done runs in all groups. `unfinished` are the runs of the selection that are
    not done, also those whose group has no done run and is therefore not listed: while it is not
    0, the report is a partial one.
    """

    group_by: tuple[str, ...]
    metrics: tuple[str, ...]
    groups: list[dict[str, Any]]
    runs: int
    unfinished: int


def report(
    rows: Sequence[RunRow],
    group_by: Sequence[str],
    metrics: Sequence[str] | None = None,
    where: Sequence[str] = (),
) -> Report:
    """Statistics over the done runs among `rows` that match all filters.

    `rows` come from `Queries.run_rows`; with `config=True` if config paths are to be named.
    `group_by` are run keys or dotted config paths; without any, all runs form one group.
    `metrics` are numeric run keys, config paths or evaluation names; by default DEFAULT_METRICS
    and every evaluation. Values that are null stay out of the statistics.

    A filter on a measured value cannot rule out a run that has not been measured, so such runs
    count as unfinished. Groups are sorted by their keys: false before true, numbers by size,
    lists by their items, null last. Raises UnknownColumnError and BadFilterError.
    """
    columns = Columns(rows)
    filters = read_filters(where, columns)
    keys = [columns.find(name) for name in dict.fromkeys(group_by)]
    if metrics is None:
        metrics = [*DEFAULT_METRICS, *columns.evaluations]
    measures = [columns.metric(name) for name in dict.fromkeys(metrics)]
    selected = [row for row in rows if all(f.keeps(row) for f in filters)]

    members: dict[tuple[Any, ...], list[RunRow]] = {}
    for row in selected:
        group = tuple(_sortable(column.read(row)) for column in keys)
        members.setdefault(group, []).append(row)
    groups = []
    for group in sorted(members):
        done = [row for row in members[group] if row["state"] == "done"]
        if not done:
            continue
        entry: dict[str, Any] = {column.name: column.read(done[0]) for column in keys}
        entry["runs"] = len(done)
        entry.setdefault("diverged", sum(1 for row in done if row["diverged"]))
        entry["unfinished"] = len(members[group]) - len(done)
        for column in measures:
            summary = asdict(summarize(column.read(row) for row in done))
            entry |= {f"{column.name}_{name}": summary[name] for name in STATISTICS}
        groups.append(entry)
    finished = sum(entry["runs"] for entry in groups)
    return Report(
        group_by=tuple(column.name for column in keys),
        metrics=tuple(column.name for column in measures),
        groups=groups,
        runs=finished,
        unfinished=len(selected) - finished,
    )


def _sortable(value: Any) -> tuple[int, Any]:
    """A key that groups equal values, tells True from 1, and puts null last."""
    if isinstance(value, bool):
        return (0, value)
    if isinstance(value, int | float):
        return (1, value)
    if isinstance(value, str):
        return (2, value)
    if value is None:
        return (4, None)
    return (3, tuple(_sortable(item) for item in value))
