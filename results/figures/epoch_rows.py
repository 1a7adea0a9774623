"""What is known of each epoch, for training curves, and which metric is drawn if none is named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from results.figures.data import EpochRow
from results.records import RunRow
from results.run_columns import DEFAULT_METRIC

if TYPE_CHECKING:
    from results.queries.queries import Queries


def epoch_values(
    queries: Queries, sweeps: Sequence[str], where: Sequence[str], metrics: Iterable[str]
) -> list[EpochRow]:
    """The epochs of these runs, and those of these `metrics` that their trainers reported."""
    named = queries.epoch_metric_rows(sweeps, where=where, metrics=metrics)
    return [
        *queries.epoch_rows(sweeps, where=where),
        *(
            {"run_id": row["run_id"], "epoch": row["epoch"], row["metric"]: row["value"]}
            for row in named
        ),
    ]


def default_metric(rows: Iterable[RunRow]) -> str:
    """The test accuracy, unless no run has one and a trainer reported other metrics.

    Then the first by name, of those of which it says which values are better, if there are any.
    """
    rows = list(rows)
    reported: dict[str, Any] = {m["name"]: m["better"] for row in rows for m in row["metrics"]}
    if not reported or any(row[DEFAULT_METRIC] is not None for row in rows):
        return DEFAULT_METRIC
    return min(reported, key=lambda name: (reported[name] is None, name))
