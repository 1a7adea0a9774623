"""Whether two orders of the same things agree.

Only ranks count, so that any increasing change of scale changes nothing; values that agree to
12 significant digits are ties, because a root modulus of 1 comes out as 1 but for rounding.
Values may be infinite. Importing this module loads numpy and scipy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

_DIGITS = 12
_EXACT_UP_TO = 8

Ranks = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """`rho` from -1 to 1, the two-sided `p` value of no association, and the number of pairs."""

    rho: float
    p: float
    n: int


def ranks(values: Sequence[float]) -> Ranks:
    """Ranks from 1 in ascending order; ties share the mean of theirs."""
    rounded = [float(f"{value:.{_DIGITS}g}") for value in values]
    return np.asarray(stats.rankdata(rounded), dtype=np.float64)


def spearman(x: Sequence[float], y: Sequence[float]) -> RankCorrelation | None:
    """Spearman's rho, the correlation of the ranks (Spearman, American J. of Psychology 15, 1904).

    The p value is exact, over all pairings, for up to 8 pairs; beyond, t = rho sqrt((n - 2) /
    (1 - rho^2)) is referred to Student's distribution with n - 2 degrees of freedom, and p is at
    least 2 / n!, the least that pairings can give. None for fewer than 3 pairs or if all values
    of one side are tied.
    """
    x_ranks, y_ranks = ranks(x), ranks(y)
    n = len(x_ranks)
    if n < 3 or np.ptp(x_ranks) == 0 or np.ptp(y_ranks) == 0:
        return None
    found = stats.spearmanr(x_ranks, y_ranks)
    if n <= _EXACT_UP_TO:
        p = _pairing_p(x_ranks, y_ranks)
    else:
        p = max(float(found.pvalue), 2 / math.factorial(n))
    return RankCorrelation(rho=min(1.0, max(-1.0, float(found.statistic))), p=p, n=n)


class KendallTau(NamedTuple):
    """`tau` from -1 to 1, and the two-sided `p` value of no association."""

    tau: float
    p: float


def kendall_tau(x: Sequence[float], y: Sequence[float]) -> KendallTau | None:
    """Kendall's tau-b: (pairs in the same order - pairs in opposite order) / pairs, less ties.

    Kendall, The treatment of ties in ranking problems, Biometrika 33, 1945. None for fewer than
    2 values or if all values of one side are tied.
    """
    x_ranks, y_ranks = ranks(x), ranks(y)
    if len(x_ranks) < 2 or np.ptp(x_ranks) == 0 or np.ptp(y_ranks) == 0:
        return None
    found = stats.kendalltau(x_ranks, y_ranks)
    return KendallTau(min(1.0, max(-1.0, float(found.statistic))), float(found.pvalue))


def _pairing_p(x_ranks: Ranks, y_ranks: Ranks) -> float:
    def correlation(permuted: Ranks, axis: int) -> Ranks:
        # Increasing in rho; the rest of rho is the same for all pairings. Exact in binary,
        # as ranks are halves: equal pairings give equal values.
        product: Ranks = (permuted * y_ranks).sum(axis=axis)
        return product

    found = stats.permutation_test(
        (x_ranks,),
        correlation,
        permutation_type="pairings",
        n_resamples=math.factorial(len(x_ranks)),  # all of them, so nothing is random
        vectorized=True,
    )
    return float(found.pvalue)
