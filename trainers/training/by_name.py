"""What the built-in trainer reports by name, beside what every run has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict, cast

from trainers.config.job import TOP5, EpochMetrics, TestedEpoch

_DEFINITION = {
    "better": "higher",
    "unit": "percent",
    "decimals": 2,
    "label": "Top-5 test accuracy",
}


class ByName(TypedDict):
    """As a result has it; no key if there is nothing."""

    metrics: NotRequired[dict[str, float | None]]
    epoch_metrics: NotRequired[list[dict[str, Any]]]
    metric_definitions: NotRequired[dict[str, dict[str, Any]]]


def apart(epochs: Sequence[TestedEpoch], *, top5: bool) -> tuple[list[EpochMetrics], ByName]:
    """What every run has of its epochs, and what is reported by name.

    Args:
        epochs: all of a run.
        top5: whether that accuracy is measured.
    """
    of_every_run = [
        cast("EpochMetrics", {key: value for key, value in epoch.items() if key != TOP5})
        for epoch in epochs
    ]
    if not top5:
        return of_every_run, {}
    return of_every_run, {
        "metrics": {TOP5: epochs[-1].get(TOP5)},
        "epoch_metrics": [
            {"epoch": epoch["epoch"], "values": {TOP5: epoch[TOP5]}}
            for epoch in epochs
            if TOP5 in epoch
        ],
        "metric_definitions": {TOP5: _DEFINITION},
    }
