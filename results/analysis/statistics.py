"""Statistics of one sample, and of several p values.

The textbook formulas; importing this module loads neither numpy nor scipy. Two samples are
compared in `results.analysis.two_samples`, two orders in `results.analysis.rank_correlation`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

#: Of every interval that `results` reports.
CONFIDENCE = 0.95
#: The largest p value that counts as significant.
SIGNIFICANCE = 0.05


@dataclass(frozen=True, slots=True)
class Summary:
    """A sample's mean, standard deviation (n - 1), least and greatest value.

    `std` is None for fewer than two values, and all are None for none.
    """

    mean: float | None
    std: float | None
    min: float | None
    max: float | None


class Interval(NamedTuple):
    """A confidence interval, in the unit of what it is about."""

    low: float
    high: float


def summarize(values: Iterable[float | None]) -> Summary:
    """The summary of the values that are not None."""
    sample = [float(value) for value in values if value is not None]
    if not sample:
        return Summary(None, None, None, None)
    mean = math.fsum(sample) / len(sample)
    squares = math.fsum((value - mean) ** 2 for value in sample)
    return summary(len(sample), mean, squares, min(sample), max(sample))


def summary(size: int, mean: float, squares: float, low: float, high: float) -> Summary:
    """The summary of at least one value; `squares` is the sum of the squared deviations."""
    # Rounding may put the mean of equal values just outside of them.
    mean = min(max(mean, low), high)
    if size == 1:
        return Summary(mean, None, low, high)
    return Summary(mean, 0.0 if low == high else math.sqrt(squares / (size - 1)), low, high)


def mean_interval(values: Iterable[float | None]) -> Interval | None:
    """The 95 % confidence interval of the mean: mean ± t(0.975; n - 1) std / sqrt(n).

    t is the quantile of Student's distribution (Student, The probable error of a mean,
    Biometrika 6, 1908). Over seeds it says where the mean of ever more seeds would settle, if
    they are independent and roughly normal. Values that are None stay out; None for fewer than
    two, a point for equal ones.
    """
    from scipy.special import stdtrit

    sample = [value for value in values if value is not None]
    summary = summarize(sample)
    if summary.mean is None or summary.std is None:
        return None
    quantile = float(stdtrit(len(sample) - 1, (1 + CONFIDENCE) / 2))
    margin = quantile * summary.std / math.sqrt(len(sample))
    return Interval(summary.mean - margin, summary.mean + margin)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p values adjusted for how many there are, in their order; None stays None.

    The i-th smallest of m becomes the largest of (m - j + 1) p_j for j <= i, and at most 1
    (Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 6, 1979). Calling those at most 0.05 significant errs in any of them with at most
    5 % probability, however they depend on each other.
    """
    ascending = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(ascending):
        largest = max(largest, min(1.0, (len(ascending) - rank) * p))
        adjusted[index] = largest
    return adjusted
