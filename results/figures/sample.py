"""The numbers that a mark with an error bar is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from results.analysis.statistics import summarize


@dataclass(frozen=True, slots=True)
class Sample:
    """Mean, sample standard deviation (n - 1), least and greatest of at least one value.

    `std` is NaN for one value, so that no error bar is drawn.
    """

    mean: float
    std: float
    low: float
    high: float


def sample(values: Sequence[float]) -> Sample:
    """Raises ValueError if there is no value."""
    summary = summarize(values)
    if summary.mean is None or summary.min is None or summary.max is None:
        raise ValueError("a sample has at least one value")
    std = nan if summary.std is None else summary.std
    return Sample(summary.mean, std, summary.min, summary.max)
