"""What can be rendered, and its exact values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from results.analysis.imported import has_measurements_of_others
from results.analysis.pivot import Pivot
from results.analysis.reports import Report, columns_of
from results.metrics import Metric, metric_of_config, metric_of_evaluation, metric_of_trainer
from results.run_columns import COLUMN, MEASURED

#: Flat objects, such as those of `Queries.run_rows`; the keys are the columns.
Rows = Sequence[dict[str, Any]]
Tabular = Report | Pivot | Rows


def records(data: Tabular) -> list[dict[str, Any]]:
    """The groups of a report, the cells of a pivot table (each with its keys), or the rows."""
    return data.groups if isinstance(data, Report | Pivot) else list(data)


class Flat(NamedTuple):
    """Names of columns, and the records with a column for each evaluation and each metric.

    It has the name, and the accuracy or what the trainer reported. After those of evaluations
    `measured_elsewhere` says whether an archive brought any to a run of here.
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
    said: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    names: dict[str, None] = {}
    found = records(data)
    measured = {e["name"] for record in found for e in record.get("evaluations") or ()}
    for record in found:
        values = {key: value for key, value in record.items() if key not in _MEASURED}
        for evaluation in record.get("evaluations") or ():
            name = evaluation["name"]
            values.setdefault(name, evaluation["accuracy"])
            if name not in evaluations:
                evaluations[name] = metric_of_evaluation(name)
        if record.get("evaluations"):
            values.setdefault("measured_elsewhere", has_measurements_of_others(record))
        for metric in record.get("metrics") or ():
            if metric["name"] not in measured:
                values.setdefault(metric["name"], metric["value"])
                said[metric["name"]].append(metric)
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
    own = {name: metric_of_trainer(name, definitions) for name, definitions in said.items()}
    of_config = {name: metric_of_config(name) for name in names}
    return Flat(list(names), flat, {**of_config, **own, **evaluations, **COLUMN, **_DEVIATIONS})


_MEASURED = ("evaluations", "metrics")
"""Keys of a run that hold objects, each of which is a column of its own here."""

_DEVIATIONS = {f"{column.name}_std": column for column in MEASURED}
