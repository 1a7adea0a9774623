"""Group tests in words: a verdict for each metric, what to know about it, and a short table."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from typing import Any

from results.analysis.group_tests.comparison import Comparison, GroupSummary
from results.analysis.group_tests.samples import TwoGroups, written
from results.analysis.group_tests.strata import Factor, Strata
from results.analysis.imported import note_about
from results.analysis.rank_correlation import RankCorrelation
from results.analysis.statistics import Interval
from results.metrics import Metric, counted, decimal
from sweep_plugins.plain_text import readable

_FEW_SEEDS = 3
_LISTED = 6
_SMALLEST_P = 1e-12


def sentence(over_networks: Comparison, over_runs: Comparison, groups: TwoGroups) -> str:
    """The verdict on one metric: means and spreads over runs, as in a report, and the rest at the
    level that has the verdict.
    """
    metric = over_networks.metric
    decisive = over_networks if over_networks.verdict else over_runs
    first, second = _names(groups)
    unit = " %" if metric.unit == "percent" else _unit(metric)
    means = (
        f"{metric.name}: {second} {_spread(over_runs.second, metric)}{unit}"
        f" ({counted(over_runs.second.ranked, 'run')} of"
        f" {counted(over_networks.second.ranked, 'network')}{_diverged(over_runs.second)}), {first}"
        f" {_spread(over_runs.first, metric)}{unit}"
        f" ({over_runs.first.ranked} of {over_networks.first.ranked}{_diverged(over_runs.first)})"
    )
    return "; ".join([means, *_findings(decisive)]) + f". {_verdict(decisive)}"


def notes(comparisons: Sequence[Comparison], groups: TwoGroups, strata: Strata) -> list[str]:
    """What has to be known to read the test; `comparisons` are those over networks."""
    first, second = groups.labels
    counts = len(groups.networks[0]), len(groups.networks[1])
    found = [
        f"Differences are {second} minus {first}. AUC is the probability that one of {second}"
        f" does better than one of {first}, ties half, with Newcombe's score interval.",
        "Level networks: each network counts once, by its mean over seeds"
        f" ({counts[0]} and {counts[1]} networks); only this level bears on schemes. Level runs:"
        " every run counts; seeds of one network are not independent samples of schemes, so"
        " these p values are too small and intervals too narrow for claims about schemes.",
        "The networks were chosen, not drawn at random: p says how often such a difference would"
        f" come up among {sum(counts)} networks if {groups.by} did not matter, not how the next"
        " scheme will do.",
    ]
    if len(comparisons) > 1:
        found.append(
            f"p values in brackets are Holm-adjusted for {len(comparisons)} metrics; the verdict"
            " goes by them."
        )
    seeds = [len(runs) for networks in groups.networks for runs in networks]
    if few := sum(count < _FEW_SEEDS for count in seeds):
        found.append(
            f"{few} of {len(seeds)} networks have fewer than {_FEW_SEEDS} seeds: their means are"
            " uncertain, and by how much can hardly be known."
        )
    found += _left_out(groups)
    found += _imported(groups, {c.metric.name for c in comparisons})
    found += _mixed(groups, strata)
    falling = [c.metric.name for c in comparisons if c.metric.better == "lower"]
    if falling:
        found.append(f"Less is better in {' and '.join(falling)}, and AUC counts it so.")
    unknown = [c.metric.name for c in comparisons if c.metric.number and not c.metric.better]
    if unknown:
        found.append(
            f"Whether more or less is better in {' and '.join(unknown)} its trainer does not say:"
            " AUC counts more as better."
        )
    if any(c.largest_modulus or c.next_modulus for c in comparisons):
        found.append(
            "rho is Spearman's correlation with the largest root modulus; rho next that with the"
            " second largest, over those whose largest is 1."
        )
    return found


def table_row(c: Comparison, by: str, values: tuple[Any, Any]) -> dict[str, str]:
    """One comparison as rounded text; "-" for what cannot be computed."""
    welch, ranked, effect = c.welch, c.mann_whitney, c.effect
    interval = welch.interval if welch else None
    return {
        "metric": c.metric.name,
        "level": c.level,
        f"{by}={written(values[0])}": f"{_spread(c.first, c.metric)} ({c.first.ranked})",
        f"{by}={written(values[1])}": f"{_spread(c.second, c.metric)} ({c.second.ranked})",
        "difference [95 % CI]": _estimate(c.difference, interval, c.metric),
        "Welch p (Holm)": _p_pair(welch.p if welch else None, c.welch_holm),
        "Mann-Whitney p (Holm)": _p_pair(ranked.p if ranked else None, c.mann_whitney_holm),
        "Hedges g": f"{effect.g:.2f}" if effect else "-",
        "AUC [95 % CI]": _estimate(c.auc.value, c.auc.interval) if c.auc else "-",
        "rho (p)": _correlation(c.largest_modulus),
        "rho next (p)": _correlation(c.next_modulus),
        "verdict": c.verdict or "-",
    }


def _correlation(found: RankCorrelation | None) -> str:
    return "-" if found is None else f"{found.rho:.2f} ({_p_text(found.p)})"


def _names(groups: TwoGroups) -> tuple[str, str]:
    if all(isinstance(value, bool) for value in groups.values):
        return "not", groups.by.replace("_", " ")
    first, second = (f"{groups.by} {written(value)}" for value in groups.values)
    return first, second


def _findings(c: Comparison) -> list[str]:
    points = " points" if c.metric.unit == "percent" else _unit(c.metric)
    found = []
    if c.difference is not None:
        text = f"difference over {c.level} {_number(c.difference, c.metric)}{points}"
        if c.welch:
            low, high = c.welch.interval
            text += f", 95 % CI {_number(low, c.metric)} to {_number(high, c.metric)}"
        found.append(text)
    if c.within:
        found.append(
            f"{_number(c.within.difference, c.metric)}{points} within strata, of the same sign in"
            f" {c.within.agreeing} of {c.within.strata}"
        )
    if c.welch:
        found.append(f"Welch p {_p(c.welch.p)}{_adjusted(c.welch.p, c.welch_holm)}")
    if c.mann_whitney:
        text = f"Mann-Whitney p {_p(c.mann_whitney.p)}"
        found.append(text + _adjusted(c.mann_whitney.p, c.mann_whitney_holm))
    if c.auc:
        low, high = c.auc.interval
        found.append(f"AUC {c.auc.value:.2f} ({low:.2f} to {high:.2f})")
    return found


def _verdict(c: Comparison) -> str:
    because = f" ({c.why})" if c.why else ""
    if c.verdict == "differ":
        return f"The groups differ{because}."
    if c.verdict == "too few":
        text = f"Too few {c.level} to tell{because}"
    else:
        text = f"Not enough to tell them apart{because}"
    if c.needed is not None and c.needed > min(c.first.n, c.second.n):
        text += (
            f"; if the difference is as large as it looks, about {c.needed} {c.level} a group"
            " would show it (80 % power)"
        )
    return f"{text}."


def _left_out(groups: TwoGroups) -> list[str]:
    found = []
    diverged = [
        sum(bool(row["diverged"]) for runs in networks for row in runs)
        for networks in groups.networks
    ]
    if sum(diverged):
        found.append(
            f"Diverged: {diverged[1]} of {counted(groups.runs[1], 'run')} with {groups.labels[1]},"
            f" {diverged[0]} of {groups.runs[0]} with {groups.labels[0]}. Without an accuracy they"
            " are left out of means, intervals, Welch and g, which flatters their group; in"
            " ranks (Mann-Whitney, AUC, rho) a diverged run, or a network with one, is worst."
        )
    if groups.without_value:
        found.append(f"{counted(groups.without_value, 'run')} left out: {groups.by} is null.")
    if groups.in_both:
        found.append(
            f"{counted(groups.in_both, 'run')} left out, in both {groups.labels[0]} and"
            f" {groups.labels[1]}: the groups of a test share none."
        )
    if groups.unfinished:
        found.append(f"PARTIAL: {counted(groups.unfinished, 'run')} not done yet and left out.")
    return found


def _imported(groups: TwoGroups, metrics: Set[str]) -> list[str]:
    rows = [row for networks in groups.networks for runs in networks for row in runs]
    note = note_about(rows, metrics)
    return [f"Among the runs: {note}."] if note else []


def _mixed(groups: TwoGroups, strata: Strata) -> list[str]:
    found = []
    if strata.confounded:
        found.append(
            f"The groups also differ throughout in {_factors(strata.confounded)}: the test cannot"
            f" tell that from {groups.by}."
        )
    if strata.crossed:
        factor = strata.crossed[0]
        found.append(
            f"The runs also differ in {_factors(strata.crossed)}, which widens the spread, and"
            ' biases the difference if the groups have other shares of them. "Within strata"'
            " compares only networks that agree in all of it; for tests on one value use --where,"
            f" such as --where '{factor.name}={written(factor.values[0])}'. A scheme that occurs"
            " with several values counts several times."
        )
    return found


def _factors(factors: Sequence[Factor]) -> str:
    texts = []
    for factor in factors:
        values = [json.dumps(value, ensure_ascii=False) for value in factor.values]
        more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
        texts.append(f"{factor.name} ({', '.join(values[:_LISTED])}{more})")
    return ", ".join(texts)


def _diverged(group: GroupSummary) -> str:
    return f", {group.diverged} diverged" if group.diverged else ""


def _spread(group: GroupSummary, metric: Metric) -> str:
    if group.mean is None:
        return "-"
    mean = _number(group.mean, metric)
    return mean if group.std is None else f"{mean} ± {_number(group.std, metric)}"


def _estimate(value: float | None, interval: Interval | None, metric: Metric | None = None) -> str:
    if value is None:
        return "-"
    if interval is None:
        return _number(value, metric)
    ends = ", ".join(_number(end, metric) for end in interval)
    return f"{_number(value, metric)} [{ends}]"


def _number(value: float, metric: Metric | None = None) -> str:
    """Two decimals for percent and what is no metric, or those that a trainer asked for; else four
    digits, for metrics of any size.
    """
    if metric is not None and metric.number and metric.decimals is not None:
        return decimal(value, metric.decimals)
    if metric is None or metric.unit == "percent":
        return f"{value:.2f}"
    return f"{value:.4g}"


def _unit(metric: Metric) -> str:
    """Of what a trainer reported; the units of other columns are in the docs."""
    return f" {readable(metric.unit)}" if metric.number and metric.unit else ""


def _p_pair(p: float | None, adjusted: float | None) -> str:
    if p is None or adjusted is None:
        return "-"
    return f"{_p_text(p)} ({_p_text(adjusted)})"


def _adjusted(p: float, adjusted: float | None) -> str:
    if adjusted is None or _p_text(adjusted) == _p_text(p):
        return ""
    return f" ({_p_text(adjusted)})"


def _p(p: float) -> str:
    return f"< {_SMALLEST_P:g}" if p < _SMALLEST_P else f"= {_p_text(p)}"


def _p_text(p: float) -> str:
    if p < _SMALLEST_P:
        return f"<{_SMALLEST_P:g}"
    return f"{p:.2g}" if p >= 0.001 else f"{p:.0e}"
