"""What can be rendered, and its exact values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from results.analysis.pivot import Pivot
from results.analysis.reports import Report

#: Flat objects, such as those of `Queries.run_rows`; the keys are the columns.
Rows = Sequence[dict[str, Any]]
Tabular = Report | Pivot | Rows


def records(data: Tabular) -> list[dict[str, Any]]:
    """The groups of a report, the cells of a pivot table (each with its keys), or the rows."""
    return data.groups if isinstance(data, Report | Pivot) else list(data)


def flat_records(data: Tabular) -> tuple[list[str], list[dict[str, Any]]]:
    """Names of columns, and the records with each evaluation's accuracy in a column of its name.

    Of a report without groups: its keys and `runs`.
    """
    flat = []
    names: dict[str, None] = {}
    for record in records(data):
        values = {key: value for key, value in record.items() if key != "evaluations"}
        for evaluation in record.get("evaluations") or ():
            values.setdefault(evaluation["name"], evaluation["accuracy"])
        flat.append(values)
        names |= dict.fromkeys(values)
    if not flat and isinstance(data, Report):
        names = dict.fromkeys((*data.group_by, "runs"))
    if not flat and isinstance(data, Pivot):
        names = dict.fromkeys((*data.rows, *data.columns, "runs"))
    return list(names), flat
