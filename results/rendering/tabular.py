"""What can be rendered, and its exact values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from results.analysis.imported import has_measurements_of_others
from results.analysis.pivot import Pivot
from results.analysis.reports import Report, columns_of
from results.metrics import Metric, metric_of_evaluation
from results.run_columns import COLUMN, MEASURED

#: Flat objects, such as those of `Queries.run_rows`; the keys are the columns.
Rows = Sequence[dict[str, Any]]
Tabular = Report | Pivot | Rows


def records(data: Tabular) -> list[dict[str, Any]]:
    """The groups of a report, the cells of a pivot table (each with its keys), or the rows."""
    return data.groups if isinstance(data, Report | Pivot) else list(data)


class Flat(NamedTuple):
    """Names of columns, and the records with each evaluation's accuracy in a column of its name.

    After those `measured_elsewhere` says whether an archive brought any to a run of here.
    Of a report without groups: its keys and `runs`. `described` is what is known of the numbers in
    a column, by its name.
    """

    names: list[str]
    records: list[dict[str, Any]]
    described: Mapping[str, Metric]


def flat_records(data: Tabular) -> Flat:
    """The records as the lines of one table."""
    flat = []
    evaluations: dict[str, Metric] = {}
    names: dict[str, None] = {}
    for record in records(data):
        values = {key: value for key, value in record.items() if key != "evaluations"}
        for evaluation in record.get("evaluations") or ():
            name = evaluation["name"]
            values.setdefault(name, evaluation["accuracy"])
            if name not in evaluations:
                evaluations[name] = metric_of_evaluation(name)
        if record.get("evaluations"):
            values.setdefault("measured_elsewhere", has_measurements_of_others(record))
        flat.append(values)
        names |= dict.fromkeys(values)
    if not flat and isinstance(data, Report):
        names = dict.fromkeys((*data.group_by, "runs"))
    if not flat and isinstance(data, Pivot):
        names = dict.fromkeys((*data.rows, *data.columns, "runs"))
    if isinstance(data, Report | Pivot):
        of_groups = {
            c: data.described[metric] for metric in data.metrics for c in columns_of(metric)
        }
        return Flat(list(names), flat, {**data.described, **of_groups})
    return Flat(list(names), flat, {**evaluations, **COLUMN, **_DEVIATIONS})


_DEVIATIONS = {f"{column.name}_std": column for column in MEASURED}
