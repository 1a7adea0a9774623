"""Two independent samples: whether they differ, by how much, and how many values would show it.

Every difference is the second sample minus the first. A sample's spread counts as none if it is
no larger than rounding errors. Importing this module loads numpy and scipy.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from scipy.special import gammaln, ndtri

from results.analysis.rank_correlation import Ranks, ranks
from results.analysis.statistics import CONFIDENCE, Interval, summarize

_Z = float(ndtri((1 + CONFIDENCE) / 2))
_ROUNDING = 1e-12
_EXACT_UP_TO = 100

Sample = Sequence[float]


@dataclass(frozen=True, slots=True)
class WelchTest:
    """The difference of the means with its 95 % interval, and whether it can be chance."""

    difference: float
    interval: Interval
    t: float
    df: float
    p: float


@dataclass(frozen=True, slots=True)
class Effect:
    """A standardised difference with its 95 % interval, in standard deviations."""

    g: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class MannWhitneyTest:
    """`u` counts the pairs in which the value of the second sample is larger, ties half."""

    u: float
    p: float
    method: Literal["exact", "asymptotic"]


@dataclass(frozen=True, slots=True)
class AreaUnderCurve:
    """A probability with its 95 % interval."""

    value: float
    interval: Interval


def welch_test(first: Sample, second: Sample) -> WelchTest | None:
    """Welch's t test of equal means, two sided, for samples of unequal variance.

    With v_i = std_i^2 / n_i: t = difference / sqrt(v_1 + v_2) has about Student's distribution
    with (v_1 + v_2)^2 / (v_1^2 / (n_1 - 1) + v_2^2 / (n_2 - 1)) degrees of freedom; the interval
    is difference ± t(0.975) sqrt(v_1 + v_2) (Welch, The generalization of "Student's" problem
    when several different population variances are involved, Biometrika 34, 1947).

    None for fewer than two values in a sample, or no spread in either of them.
    """
    if min(len(first), len(second)) < 2:
        return None
    (mean_1, std_1), (mean_2, std_2) = _mean_std(first), _mean_std(second)
    if std_1 == std_2 == 0:
        return None
    with warnings.catch_warnings():
        # Of one sample without a spread, which is no fault of the test.
        warnings.simplefilter("ignore", RuntimeWarning)
        found = stats.ttest_ind(second, first, equal_var=False)
        low, high = found.confidence_interval(CONFIDENCE)
    if not math.isfinite(found.df):
        return None  # a spread so small that its square is 0
    return WelchTest(
        difference=mean_2 - mean_1,
        interval=Interval(float(low), float(high)),
        t=float(found.statistic),
        df=float(found.df),
        p=float(found.pvalue),
    )


def hedges_g(first: Sample, second: Sample) -> Effect | None:
    """Hedges' g: Cohen's d, the difference of the means over the pooled standard deviation,
    freed of its bias in small samples.

    g = J(m) d with m = n_1 + n_2 - 2 and J(m) = Gamma(m / 2) / (sqrt(m / 2) Gamma((m - 1) / 2))
    (Hedges, Distribution theory for Glass's estimator of effect size and related estimators,
    J. of Educational Statistics 6, 1981). The interval is g ± 1.96 sqrt((n_1 + n_2) / (n_1 n_2)
    + g^2 / (2 (n_1 + n_2))) (Hedges and Olkin, Statistical Methods for Meta-Analysis, 1985,
    chapter 5): for normal samples of one variance, and rough below ten values.

    None for fewer than two values in a sample, or no spread in either of them.
    """
    n_1, n_2 = len(first), len(second)
    if min(n_1, n_2) < 2:
        return None
    (mean_1, std_1), (mean_2, std_2) = _mean_std(first), _mean_std(second)
    m = n_1 + n_2 - 2
    pooled = math.hypot(std_1 * math.sqrt((n_1 - 1) / m), std_2 * math.sqrt((n_2 - 1) / m))
    if pooled == 0:
        return None
    correction = math.exp(float(gammaln(m / 2) - gammaln((m - 1) / 2))) / math.sqrt(m / 2)
    g = correction * (mean_2 - mean_1) / pooled
    margin = _Z * math.hypot(math.sqrt((n_1 + n_2) / (n_1 * n_2)), g / math.sqrt(2 * (n_1 + n_2)))
    return Effect(g, Interval(g - margin, g + margin))


def mann_whitney_test(first: Sample, second: Sample) -> MannWhitneyTest | None:
    """The Mann-Whitney U test, two sided: twice the smaller tail, at most 1.

    Mann and Whitney, On a test of whether one of two random variables is stochastically larger
    than the other, Annals of Mathematical Statistics 18, 1947. Up to 100 values together the
    distribution of U is exact, with ties too (the shift algorithm of Streitberg and Röhmel,
    Statistical Software Newsletter 12, 1986); beyond, normal with corrections for ties and
    continuity. Values may be infinite, and count as equal if they agree to 12 digits.
    None if a sample is empty.
    """
    n_1, n_2 = len(first), len(second)
    if min(n_1, n_2) == 0:
        return None
    joint, u = _joint_ranks(first, second)
    if n_1 + n_2 <= _EXACT_UP_TO:
        return MannWhitneyTest(u, _exact_rank_sum_p(joint, n_2), "exact")
    if np.ptp(joint) == 0:
        return MannWhitneyTest(u, 1.0, "asymptotic")
    found = stats.mannwhitneyu(joint[n_1:], joint[:n_1], method="asymptotic")
    return MannWhitneyTest(u, min(1.0, float(found.pvalue)), "asymptotic")


def least_mann_whitney_p(n_1: int, n_2: int) -> float:
    """The p value of two samples that do not overlap: no data can give a smaller one.

    2 / C(n_1 + n_2, n_1), as only two of all divisions into groups are as extreme.
    """
    return min(1.0, 2 / math.comb(n_1 + n_2, n_1))


def area_under_curve(first: Sample, second: Sample) -> AreaUnderCurve | None:
    """The probability that a value of the second sample is larger, ties half: U / (n_1 n_2).

    It is the area under the ROC curve of telling the samples apart by their values. The interval
    is Newcombe's score interval (Confidence intervals for an effect size measure based on the
    Mann-Whitney statistic, part 2, Statistics in Medicine 25, 2006, method 5): all A with
    |A - AUC| <= 1.96 sqrt(V(A)), where

        V(A) = A (1 - A) (1 + m (1 - A) / (2 - A) + m A / (1 + A)) / (n_1 n_2),
        m = (n_1 + n_2) / 2 - 1

    is the variance of Hanley and McNeil (Radiology 143, 1982). Unlike theirs, DeLong's or a
    bootstrap's, it keeps its width when the samples do not overlap. Values may be infinite.
    None if a sample is empty.
    """
    n_1, n_2 = len(first), len(second)
    if min(n_1, n_2) == 0:
        return None
    _, larger = _joint_ranks(first, second)
    smaller = n_1 * n_2 - larger
    low = _score_limit(larger / (n_1 * n_2), n_1, n_2)
    high = 1 - _score_limit(smaller / (n_1 * n_2), n_1, n_2)
    return AreaUnderCurve(larger / (n_1 * n_2), Interval(low, high))


def values_needed(first: Sample, second: Sample, power: float = 0.8) -> int | None:
    """How many values in each sample would show a difference like this one, if it is real.

    For a two-sided test at 5 % that finds it with probability `power`:
    (z(0.975) + z(power))^2 (std_1^2 + std_2^2) / difference^2 + z(0.975)^2 / 4, rounded up; the
    last term makes up for using the normal distribution (Guenther, Sample size formulas for
    normal theory t tests, The American Statistician 35, 1981).

    None for fewer than two values in a sample, no spread in either, or equal means.
    """
    if min(len(first), len(second)) < 2:
        return None
    (mean_1, std_1), (mean_2, std_2) = _mean_std(first), _mean_std(second)
    difference, spread = abs(mean_2 - mean_1), math.hypot(std_1, std_2)
    if spread == 0 or difference <= _ROUNDING * max(abs(mean_1), abs(mean_2)):
        return None
    needed = ((_Z + float(ndtri(power))) * spread / difference) ** 2 + _Z**2 / 4
    return max(2, math.ceil(needed))


def _joint_ranks(first: Sample, second: Sample) -> tuple[Ranks, float]:
    """The ranks of both samples together, and U: how often the second's value is larger."""
    joint, n_2 = ranks([*first, *second]), len(second)
    return joint, float(joint[len(first) :].sum()) - n_2 * (n_2 + 1) / 2


def _mean_std(sample: Sample) -> tuple[float, float]:
    """Of two values or more."""
    found = summarize(sample)
    assert found.mean is not None
    assert found.std is not None
    rounding = _ROUNDING * max(map(abs, sample))
    return found.mean, found.std if found.std > rounding else 0.0


def _exact_rank_sum_p(joint: Ranks, size: int) -> float:
    """Twice the smaller tail of the last `size` ranks' sum, over all choices of `size` ranks."""
    doubled = np.rint(2 * joint).astype(int)  # ties have half ranks
    observed, total = int(doubled[len(doubled) - size :].sum()), int(doubled.sum())
    # choices[k, s]: how many sets of k ranks have the sum s.
    choices = np.zeros((size + 1, total + 1))
    choices[0, 0] = 1
    for rank in doubled:
        choices[1:, rank:] += choices[:-1, :-rank].copy()
    probabilities = choices[size] / choices[size].sum()
    tail = min(probabilities[: observed + 1].sum(), probabilities[observed:].sum())
    return min(1.0, 2 * float(tail))


def _score_limit(area: float, n_1: int, n_2: int) -> float:
    """The lower end of Newcombe's interval."""
    if area <= 0:
        return 0.0
    m = (n_1 + n_2) / 2 - 1

    def excess(a: float) -> float:
        variance = a * (1 - a) * (1 + m * (1 - a) / (2 - a) + m * a / (1 + a)) / (n_1 * n_2)
        return (area - a) ** 2 - _Z**2 * variance

    # An area of 1 solves the equation itself: look below it.
    return float(brentq(excess, 0.0, area * (1 - _ROUNDING), xtol=1e-12))
