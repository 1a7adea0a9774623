"""Pivot tables: groups of runs in rows and columns, the best of each column marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results.analysis.reports import Report
from results.analysis.sort_keys import sort_key
from results.errors import PivotError
from results.json_values import finite
from results.metrics import Metric, mean_shown


@dataclass(frozen=True, slots=True)
class PivotCell:
    """A report's group, and the metrics in which it is the best of its column."""

    group: dict[str, Any]
    best: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pivot:
    """A report as a table in two directions.

    `rows` and `columns` are the keys, `row_values` and `column_values` their combinations, in the
    order of reports. `cells[i][j]` belongs to `row_values[i]` and `column_values[j]`; None where
    no run of that combination is done. `described` and the counts are the report's.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    metrics: tuple[str, ...]
    described: Mapping[str, Metric]
    row_values: tuple[tuple[Any, ...], ...]
    column_values: tuple[tuple[Any, ...], ...]
    cells: tuple[tuple[PivotCell | None, ...], ...]
    runs: int
    unfinished: int
    imported: int = 0
    measured_elsewhere: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    code_versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The report's groups, row by row, each with `<metric>_best` for every metric."""
        return [
            cell.group | {f"{metric}_best": metric in cell.best for metric in self.metrics}
            for line in self.cells
            for cell in line
            if cell is not None
        ]


def pivot(report: Report, rows: Sequence[str], columns: Sequence[str]) -> Pivot:
    """The groups of `report` with the keys `rows` down the side and `columns` across the top.

    The report must be grouped by all of these keys and no others. Best is the highest mean, or the
    lowest, as `Metric.better` says, if at least two cells of the column have one; means that are
    equal as they are printed are equally good. Other metrics have no best. Raises PivotError.
    """
    _check(report, rows, columns)
    row_values = _combinations(report.groups, rows)
    column_values = _combinations(report.groups, columns)
    found = {(_place(g, rows), _place(g, columns)): g for g in report.groups}
    grid = [[found.get((row, column)) for column in column_values] for row in row_values]
    best = {
        name: [
            _best(report.described[name], [line[j] for line in grid])
            for j in range(len(column_values))
        ]
        for name in report.metrics
    }
    cells = tuple(
        tuple(
            None
            if group is None
            else PivotCell(group, frozenset(m for m in report.metrics if i in best[m][j]))
            for j, group in enumerate(line)
        )
        for i, line in enumerate(grid)
    )
    return Pivot(
        rows=tuple(rows),
        columns=tuple(columns),
        metrics=report.metrics,
        described=report.described,
        row_values=tuple(row_values.values()),
        column_values=tuple(column_values.values()),
        cells=cells,
        runs=report.runs,
        unfinished=report.unfinished,
        imported=report.imported,
        measured_elsewhere=report.measured_elsewhere,
        states=report.states,
        code_versions=report.code_versions,
    )


def _check(report: Report, rows: Sequence[str], columns: Sequence[str]) -> None:
    if not rows or not columns:
        raise PivotError("it needs keys for its rows and for its columns: --rows and --columns")
    keys = [*rows, *columns]
    for key in keys:
        if keys.count(key) > 1:
            raise PivotError(f"{key!r} is asked for twice among its rows and columns")
    if set(keys) != set(report.group_by):
        raise PivotError(
            f"its keys are {', '.join(keys)}, and the report is grouped by"
            f" {', '.join(report.group_by) or 'nothing'}"
        )
    if not report.metrics:
        raise PivotError("it needs a metric: --metric test_accuracy")


_Place = tuple[Any, ...]


def _place(group: Mapping[str, Any], keys: Sequence[str]) -> _Place:
    return tuple(sort_key(group[key]) for key in keys)


def _combinations(
    groups: Sequence[Mapping[str, Any]], keys: Sequence[str]
) -> dict[_Place, tuple[Any, ...]]:
    """The values of these keys that occur together, in order, by their place in it."""
    found = {_place(group, keys): tuple(group[key] for key in keys) for group in groups}
    return dict(sorted(found.items()))


def _best(metric: Metric, column: Sequence[Mapping[str, Any] | None]) -> set[int]:
    """The rows whose mean is the best of the column."""
    means = {i: finite(group[f"{metric.name}_mean"]) for i, group in enumerate(column) if group}
    printed = {i: float(mean_shown(m, metric)) for i, m in means.items() if m is not None}
    if metric.better is None or len(printed) < 2:
        return set()
    best = max(printed.values()) if metric.better == "higher" else min(printed.values())
    return {i for i, mean in printed.items() if mean == best}
