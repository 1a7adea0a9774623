"""One metric in two groups, at one level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from results.analysis.group_tests.samples import Level, Sample, Unit
from results.analysis.group_tests.strata import Strata, WithinDifference, difference_within
from results.analysis.imported import marks_of
from results.analysis.rank_correlation import RankCorrelation, spearman
from results.analysis.statistics import SIGNIFICANCE, Interval, holm, mean_interval, summarize
from results.analysis.two_samples import (
    AreaUnderCurve,
    Effect,
    MannWhitneyTest,
    WelchTest,
    area_under_curve,
    hedges_g,
    least_mann_whitney_p,
    mann_whitney_test,
    values_needed,
    welch_test,
)
from results.metrics import Metric

Verdict = Literal["differ", "not shown", "too few"]

_UNIT_CIRCLE = 1e-9


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """One group's metric. `n` networks or runs have a value and enter `mean`, `std` (n - 1) and
    `interval` (95 %, of the mean); `ranked` enter rank statistics, diverged ones too; `diverged`
    count those with a run that diverged. Of all their runs, `imported` came with an archive, and
    `measured_elsewhere` others have the metric from one. `not_finite` runs of the group have no
    value, because it was not finite.
    """

    n: int
    ranked: int
    diverged: int
    not_finite: int
    imported: int
    measured_elsewhere: int
    mean: float | None
    std: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What tells the two groups apart in one metric; what cannot be computed is None.

    `units` is what people call those of the level: "networks", "settings" or "runs".
    `difference` is the second mean minus the first. `auc` is the probability that a unit of the
    second group is better, ties half. `largest_modulus` correlates the metric with the largest
    root modulus; `next_modulus` with the second largest, over the units whose largest is 1.
    `needed` units in each group would show a difference like this one with 80 % probability.
    `why` says what is lacking.

    `verdict` is "too few" if even groups that do not overlap would have a Mann-Whitney
    p > 0.05; else "differ" if the Holm-adjusted p <= 0.05, Mann-Whitney's where a run diverged or
    there is no t test, Welch's elsewhere; else "not shown". It is given over networks, and over
    runs only if each group is a single network; None at the other level.
    """

    metric: Metric
    level: Level
    units: str
    first: GroupSummary
    second: GroupSummary
    difference: float | None
    welch: WelchTest | None
    effect: Effect | None
    mann_whitney: MannWhitneyTest | None
    auc: AreaUnderCurve | None
    largest_modulus: RankCorrelation | None
    next_modulus: RankCorrelation | None
    within: WithinDifference | None
    needed: int | None
    welch_holm: float | None = None
    mann_whitney_holm: float | None = None
    verdict: Verdict | None = None
    why: str | None = None


def compare(
    metric: Metric, level: Level, noun: str, groups: tuple[Sample, Sample], strata: Strata
) -> Comparison:
    """Everything about one metric, but adjusted p values and the verdict.

    `noun` is what people call a network.
    """
    first, second = (group.units for group in groups)
    values_1, values_2 = _values(first), _values(second)
    ranked_1, ranked_2 = _ranked(first), _ranked(second)
    mean_1, mean_2 = summarize(values_1).mean, summarize(values_2).mean
    better = (ranked_2, ranked_1) if metric.better == "lower" else (ranked_1, ranked_2)
    welch = welch_test(values_1, values_2)
    everything = [*first, *second]
    on_the_circle = [
        unit for unit in everything if unit.moduli and abs(unit.moduli[0] - 1) <= _UNIT_CIRCLE
    ]
    return Comparison(
        metric=metric,
        level=level,
        units=f"{noun}s" if level == "networks" else level,
        first=_summary(groups[0], metric),
        second=_summary(groups[1], metric),
        difference=None if mean_1 is None or mean_2 is None else mean_2 - mean_1,
        welch=welch,
        effect=hedges_g(values_1, values_2),
        mann_whitney=mann_whitney_test(ranked_1, ranked_2),
        auc=area_under_curve(*better),
        largest_modulus=_with_modulus(everything, 0),
        next_modulus=_with_modulus(on_the_circle, 1),
        within=difference_within(first, second, strata),
        needed=values_needed(values_1, values_2),
        why=None if welch else _lacking(first, second),
    )


def adjust_for_several(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons of all metrics at one level, with p values adjusted for their number."""
    welch = holm([c.welch.p if c.welch else None for c in comparisons])
    mann_whitney = holm([c.mann_whitney.p if c.mann_whitney else None for c in comparisons])
    return [
        replace(c, welch_holm=w, mann_whitney_holm=m)
        for c, w, m in zip(comparisons, welch, mann_whitney, strict=True)
    ]


def judge(over_networks: Comparison, over_runs: Comparison) -> tuple[Comparison, Comparison]:
    """Both, one with the verdict on the metric.

    Networks are the independent samples, if the question is about schemes. With a single network
    in each group it can only be about these two, and their runs are independent samples of them.
    """
    if over_networks.first.ranked == over_networks.second.ranked == 1:
        return over_networks, _judged(over_runs)
    return _judged(over_networks), over_runs


def _judged(c: Comparison) -> Comparison:
    n_1, n_2 = c.first.ranked, c.second.ranked
    if min(n_1, n_2) == 0:
        return replace(c, verdict="too few")
    least = least_mann_whitney_p(n_1, n_2)
    if least > SIGNIFICANCE:
        few = (
            f"even groups that do not overlap give Mann-Whitney p = {least:.2g} with {n_1} and"
            f" {n_2} {c.units}"
        )
        return replace(c, verdict="too few", why=f"{few}; {c.why}" if c.why else few)
    adjusted = c.welch_holm
    if adjusted is None or c.first.diverged or c.second.diverged:
        adjusted = c.mann_whitney_holm
    differ = adjusted is not None and adjusted <= SIGNIFICANCE
    return replace(c, verdict="differ" if differ else "not shown")


def _lacking(first: Sequence[Unit], second: Sequence[Unit]) -> str:
    """Why there is no t test."""
    if not first or not second:
        return "a group has no value"
    if min(len(_values(first)), len(_values(second))) < 2:
        return "no t test: a group has fewer than two measured values"
    return "no t test: no spread in either group"


def _summary(sample: Sample, metric: Metric) -> GroupSummary:
    units = sample.units
    values = _values(units)
    found = summarize(values)
    return GroupSummary(
        n=len(values),
        ranked=len(units),
        diverged=sum(unit.diverged for unit in units),
        not_finite=sample.not_finite,
        **marks_of((row for unit in units for row in unit.rows), {metric.name}),
        mean=found.mean,
        std=found.std,
        interval=mean_interval(values),
    )


def _values(units: Sequence[Unit]) -> list[float]:
    return [unit.value for unit in units if unit.value is not None]


def _ranked(units: Sequence[Unit]) -> list[float]:
    return [unit.ranked for unit in units if unit.ranked is not None]


def _with_modulus(units: Sequence[Unit], index: int) -> RankCorrelation | None:
    pairs = [
        (unit.moduli[index], unit.ranked)
        for unit in units
        if unit.moduli is not None and len(unit.moduli) > index and unit.ranked is not None
    ]
    return spearman([modulus for modulus, _ in pairs], [value for _, value in pairs])
