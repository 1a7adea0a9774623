"""Summaries of samples."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """A sample's mean, standard deviation (n - 1), least and greatest value.

    `std` is None for fewer than two values, and all are None for none.
    """

    mean: float | None
    std: float | None
    min: float | None
    max: float | None


def summarize(values: Iterable[float | None]) -> Summary:
    """The summary of the values that are not None."""
    sample = [float(value) for value in values if value is not None]
    if not sample:
        return Summary(None, None, None, None)
    low, high = min(sample), max(sample)
    # Rounding may put the mean of equal values just outside of them.
    mean = min(max(math.fsum(sample) / len(sample), low), high)
    if len(sample) == 1:
        return Summary(mean, None, low, high)
    variance = math.fsum((value - mean) ** 2 for value in sample) / (len(sample) - 1)
    return Summary(mean, math.sqrt(variance), low, high)
