"""A report, a pivot table or rows as cells of text, rounded for reading."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from results.analysis.imported import MARKS, imported_note
from results.analysis.pivot import Pivot, PivotCell
from results.analysis.reports import Report
from results.analysis.unfinished import left_out
from results.metrics import SCHEME, Metric, counted, shown, spread_shown
from results.rendering.apart import shown_apart
from results.rendering.tabular import Rows, Tabular, flat_records
from sweep_plugins.plain_text import readable


@dataclass(frozen=True, slots=True)
class TextColumn:
    """`header` is read from the outside in; its last part is the column's own, the others are
    shared with its neighbours. Columns of numbers are aligned to the right.
    """

    header: tuple[str, ...]
    numeric: bool


@dataclass(frozen=True, slots=True)
class TextTable:
    """Cells of text on one line each; None is null, and an empty text is no value at all.

    The first `keys` columns say what a row is about. `best` has the (row, column) of every cell
    that is the best of its column. `notes` are sentences below the table.
    """

    columns: tuple[TextColumn, ...]
    rows: tuple[tuple[str | None, ...], ...]
    keys: int = 0
    best: frozenset[tuple[int, int]] = frozenset()
    notes: tuple[str, ...] = ()


def text_table(data: Tabular, notes: Sequence[str] = (), *, best: str = "in bold") -> TextTable:
    """The table that people read.

    `notes` come after what the data says of itself; `best` says how the format marks best cells.
    """
    if isinstance(data, Report):
        table = _of_report(data)
    elif isinstance(data, Pivot):
        table = _of_pivot(data, best)
    else:
        table = _of_rows(data)
    return replace(
        table,
        columns=tuple(TextColumn(tuple(map(readable, c.header)), c.numeric) for c in table.columns),
        notes=tuple(map(readable, (*table.notes, *notes))),
    )


def _of_rows(rows: Rows) -> TextTable:
    names, records, described = flat_records(rows)
    names = [n for n in names if n not in MARKS or any(record.get(n) for record in records)]
    return TextTable(
        columns=tuple(
            TextColumn((name,), _numeric([record.get(name) for record in records]))
            for name in names
        ),
        rows=tuple(
            zip(*(_shown_column(name, records, described.get(name)) for name in names), strict=True)
        ),
    )


def _shown_column(
    name: str, records: Sequence[dict[str, Any]], metric: Metric | None
) -> list[str | None]:
    """A column as text. Most have few different values, each of which is rounded once."""
    if name == SCHEME or (metric is not None and metric.digest):
        return shown_apart([record.get(name) for record in records], metric)
    known: dict[tuple[type, Any], str | None] = {}
    column = []
    for value in (record.get(name) for record in records):
        # A list lives as long as its record, so its id names it.
        key = (type(value), id(value) if isinstance(value, list | dict) else value)
        if key not in known:
            known[key] = shown(value, metric)
        column.append(known[key])
    return column


_COUNTED = ("diverged", "not_finite", "unfinished", *MARKS)
"""What a report's groups count, and a table shows where there is any."""


def _of_report(report: Report) -> TextTable:
    groups = report.groups
    names = [*report.group_by, "runs"]
    names += [n for n in _COUNTED if any(_counted(g, n) for g in groups)]
    names = list(dict.fromkeys(names))
    keys = {
        name: shown_apart([group[name] for group in groups], report.described[name])
        for name in report.group_by
    }
    columns = [TextColumn((name,), _numeric([g[name] for g in groups])) for name in names]
    return TextTable(
        columns=(*columns, *(TextColumn((metric,), True) for metric in report.metrics)),
        rows=tuple(
            (
                *(keys[name][i] if name in keys else shown(group[name]) for name in names),
                *(_spread(group, report.described[name]) for name in report.metrics),
            )
            for i, group in enumerate(groups)
        ),
        keys=len(report.group_by),
        notes=(
            _sentence(
                counted(report.runs, "run"),
                _several(report),
                "mean ± std (n-1)" if report.metrics else "no run has a metric",
                _partial(report.states),
                imported_note(report.imported, report.measured_elsewhere),
            ),
            *_mixed(report, "add --group-by {}"),
        ),
    )


def _of_pivot(pivot: Pivot, best: str) -> TextTable:
    leaves = [(metric, j) for metric in pivot.metrics for j in range(len(pivot.column_values))]
    own = 0 if len(pivot.metrics) > 1 else 1  # a single metric heads no columns
    keys = [
        TextColumn((key,), _numeric([values[i] for values in pivot.row_values]))
        for i, key in enumerate(pivot.rows)
    ]
    down = _shown_keys(pivot, pivot.rows, pivot.row_values)
    labels = _labels(pivot)
    columns = [TextColumn((metric, labels[j])[own:], True) for metric, j in leaves]
    return TextTable(
        columns=(*keys, *columns),
        rows=tuple(
            (
                *values,
                *(_cell(line[j], pivot.described[metric]) for metric, j in leaves),
            )
            for values, line in zip(down, pivot.cells, strict=True)
        ),
        keys=len(keys),
        best=frozenset(
            (i, len(keys) + leaf)
            for i, line in enumerate(pivot.cells)
            for leaf, (metric, j) in enumerate(leaves)
            if (cell := line[j]) is not None and metric in cell.best
        ),
        notes=(_pivot_note(pivot, best), *_mixed(pivot, "add {} to --rows or --columns")),
    )


def _shown_keys(
    pivot: Pivot, keys: Sequence[str], combinations: Sequence[Sequence[Any]]
) -> list[tuple[str | None, ...]]:
    """These combinations of the keys' values as text."""
    columns = zip(*combinations, strict=True)
    shown_columns = [
        shown_apart(column, pivot.described[key])
        for key, column in zip(keys, columns, strict=bool(combinations))
    ]
    return list(zip(*shown_columns, strict=True))


def _labels(pivot: Pivot) -> list[str]:
    """What heads the columns: "depth 32"; a text speaks for itself."""
    found = _shown_keys(pivot, pivot.columns, pivot.column_values)
    return [
        ", ".join(
            str(text) if isinstance(value, str) else f"{key} {text or '-'}"
            for key, value, text in zip(pivot.columns, values, texts, strict=True)
        )
        for values, texts in zip(pivot.column_values, found, strict=True)
    ]


def _cell(cell: PivotCell | None, metric: Metric) -> str | None:
    if cell is None:
        return ""
    text = _spread(cell.group, metric)
    # Under the key `diverged` it is the group's value, not a count.
    if text is None and _counted(cell.group, "diverged"):
        return "diverged" if cell.group["diverged"] == cell.group["runs"] else None
    return text


def _pivot_note(pivot: Pivot, best: str) -> str:
    cells = [cell for line in pivot.cells for cell in line if cell is not None]
    runs = counted(pivot.runs, "run")
    if counts := {cell.group["runs"] for cell in cells}:
        runs += f", {' to '.join(map(str, sorted({min(counts), max(counts)})))} a cell"
    mean = "mean ± std (n-1)"
    diverged, not_finite = (
        sum(c.group[name] for c in cells if _counted(c.group, name))
        for name in ("diverged", "not_finite")
    )
    return _sentence(
        runs,
        _several(pivot),
        f"{pivot.metrics[0]}, {mean}" if len(pivot.metrics) == 1 else mean,
        f"best of each column {best}" if any(cell.best for cell in cells) else "",
        f"{counted(diverged, 'run')} diverged" if diverged else "",
        f"{counted(not_finite, 'run')} with a number that is not finite" if not_finite else "",
        _partial(pivot.states),
        imported_note(pivot.imported, pivot.measured_elsewhere),
    )


def _sentence(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _several(data: Report | Pivot) -> str:
    """Where the groups have more runs than there are."""
    more = sum(group["runs"] for group in data.groups) > data.runs
    return "a run of several sweeps counts in each" if more else ""


def _partial(states: Mapping[str, int]) -> str:
    return f"PARTIAL: {left_out(states)}" if states else ""


def _mixed(data: Report | Pivot, way_out: str) -> list[str]:
    """That groups have runs before and after edits of somebody's code, and how to tell them."""
    notes = []
    for key, count in data.code_versions.items():
        _, _, plugin = key.partition(".")
        what = f"the code of {plugin}" if plugin else "the trainer's code"
        told = way_out.format(shlex.quote(key))
        notes.append(f"groups mix {count} versions of {what}: {told}")
    return notes


def _spread(group: dict[str, Any], metric: Metric) -> str | None:
    return spread_shown(group[f"{metric.name}_mean"], group[f"{metric.name}_std"], metric)


def _counted(group: dict[str, Any], name: str) -> bool:
    value = group.get(name)
    return not isinstance(value, bool) and bool(value)


def _numeric(values: Sequence[Any]) -> bool:
    return all(isinstance(v, int | float | None) and not isinstance(v, bool) for v in values)
