"""A compared row for reading: rounded text, in the paper's terms."""

from __future__ import annotations

from dataclasses import replace
from math import log10
from typing import TYPE_CHECKING, Any

from results.metrics import Metric, decimal, spread_shown
from results.published import PublishedRow
from results.run_columns import COLUMN

if TYPE_CHECKING:
    from results.comparison.result import ComparedRow, Ours


def shown_metric(row: PublishedRow) -> str:
    """The name of what the paper prints: test_error, where ours is test_accuracy."""
    return row.metric.replace("accuracy", "error") if row.printed_in.is_error else row.metric


def summary(row: ComparedRow) -> dict[str, Any]:
    """Columns of the row, but for its label, metric and note; an error where one is printed."""
    published, ours, difference = row.published, row.ours, row.difference
    metric = _known(row)
    if published.printed_in.is_error:
        digits = round(-log10(published.resolution))
        printed = replace(metric, mean_decimals=digits)
        metric = replace(metric, mean_decimals=max(2, digits))
        difference = None if difference is None else -difference
    else:
        printed = metric
    within = {True: "yes", False: "no", None: "unknown"}[row.within]
    return {
        "published": _mean(printed, published, published),
        "here": _mean(metric, ours, published) if ours else None,
        "difference": _difference(metric, difference, row.joint_uncertainty),
        "within": within if row.state == "compared" else None,
        "state": row.state,
    }


def _known(row: ComparedRow) -> Metric:
    """How numbers of the row are written."""
    name = row.published.metric
    metric = (row.ours and row.ours.reported) or COLUMN.get(name) or Metric(name)
    return metric if name == "parameters" else replace(metric, whole=False)


def _mean(metric: Metric, found: PublishedRow | Ours, row: PublishedRow) -> str:
    if metric.name == "parameters":
        return f"{found.mean:,.0f}"
    if metric.name == "max_root_modulus" and found.root_moduli is not None:
        return ", ".join(decimal(modulus, 2) for modulus in found.root_moduli)
    mean = row.printed_in.printed(found.mean) if row.printed_in.is_error else found.mean
    text = str(spread_shown(mean, found.std, metric))
    return text if found.runs is None else f"{text} (n={found.runs})"


def _difference(metric: Metric, difference: float | None, uncertainty: float | None) -> str | None:
    if difference is None:
        return None
    if metric.name == "parameters":
        return f"{difference:+,.0f}"
    text = str(spread_shown(difference, uncertainty, metric))
    return text if text.startswith("-") else f"+{text}"
