"""Group tests in words: a verdict for each metric, what to know about it, and a short table."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any

from results.analysis.group_tests.comparison import Comparison, GroupSummary
from results.analysis.group_tests.samples import TwoGroups
from results.analysis.group_tests.strata import Factor, Strata
from results.analysis.imported import note_about
from results.analysis.rank_correlation import RankCorrelation
from results.analysis.statistics import Interval
from results.analysis.unfinished import left_out
from results.metrics import Metric, counted, mean_shown, spread_shown, written
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
    first, second = groups.labels
    unit = " %" if metric.unit == "percent" else _unit(metric)
    means = (
        f"{metric.name}: {_spread(over_runs.second, metric)}{unit} with {second}"
        f" ({counted(over_runs.second.ranked, 'run')} of"
        f" {counted(over_networks.second.ranked, groups.noun)}{_diverged(over_runs.second)}),"
        f" {_spread(over_runs.first, metric)}{unit} with {first}"
        f" ({over_runs.first.ranked} of {over_networks.first.ranked}{_diverged(over_runs.first)})"
    )
    return "; ".join([means, *_findings(decisive)]) + f". {_verdict(decisive)}"


def notes(comparisons: Sequence[Comparison], groups: TwoGroups, strata: Strata) -> list[str]:
    """What has to be known to read the test; `comparisons` are those over networks."""
    first, second = groups.labels
    noun, counts = groups.noun, (len(groups.networks[0]), len(groups.networks[1]))
    what = "scheme" if noun == "network" else noun
    found = [
        f"Differences are {second} minus {first}. AUC is the probability that one of {second}"
        f" does better than one of {first}, ties half, with Newcombe's score interval.",
        f"Level {noun}s: each {noun} counts once, by its mean over seeds"
        f" ({counts[0]} and {counts[1]} {noun}s); only this level bears on {what}s. Level runs:"
        f" every run counts; seeds of one {noun} are not independent samples of {what}s, so"
        f" these p values are too small and intervals too narrow for claims about {what}s.",
        f"The {noun}s were chosen, not drawn at random: p says how often such a difference would"
        f" come up among {sum(counts)} {noun}s if {groups.by} did not matter, not how the next"
        f" {what} will do.",
    ]
    if len(comparisons) > 1:
        found.append(
            f"p values in brackets are Holm-adjusted for {len(comparisons)} metrics; the verdict"
            " goes by them."
        )
    seeds = [len(runs) for networks in groups.networks for runs in networks]
    if few := sum(count < _FEW_SEEDS for count in seeds):
        found.append(
            f"{few} of {len(seeds)} {noun}s have fewer than {_FEW_SEEDS} seeds: their means are"
            " uncertain, and by how much can hardly be known."
        )
    found += _left_out(comparisons, groups)
    found += _imported(groups, {c.metric.name for c in comparisons})
    found += _mixed(groups, strata)
    falling = [c.metric.name for c in comparisons if c.metric.better == "lower"]
    if falling:
        found.append(f"Less is better in {' and '.join(falling)}, and AUC counts it so.")
    unknown = [c.metric.name for c in comparisons if c.metric.number and not c.metric.better]
    if unknown:
        found.append(
            f"Whether more or less is better in {' and '.join(unknown)} is not known: AUC counts"
            " more as better."
        )
    if any(c.largest_modulus or c.next_modulus for c in comparisons):
        found.append(
            "rho is Spearman's correlation with the largest root modulus; rho next that with the"
            " second largest, over those whose largest is 1."
        )
    return found


def table(
    pairs: Sequence[tuple[Comparison, Comparison]], by: str, values: tuple[Any, Any]
) -> list[dict[str, str]]:
    """The comparisons of each metric as rounded text, one line a statistic, one column a level.

    Without what no run here can have.
    """
    several = len(pairs) > 1
    found = [[_statistics(c, by, values, several=several) for c in pair] for pair in pairs]
    both = [texts for levels in found for texts in levels]
    empty = {key for key in (_RHO, _RHO_NEXT) if all(texts[key] == "-" for texts in both)}
    return [
        {"metric": pair[0].metric.name, "statistic": key}
        | {c.units: texts[key] for c, texts in zip(pair, levels, strict=True)}
        for pair, levels in zip(pairs, found, strict=True)
        for key in levels[0]
        if key not in empty
    ]


_RHO, _RHO_NEXT = "rho (p)", "rho next (p)"


def _statistics(
    c: Comparison, by: str, values: tuple[Any, Any], *, several: bool
) -> dict[str, str]:
    """One comparison as rounded text; "-" for what cannot be computed.

    With adjusted p values in brackets if there are several metrics.
    """
    welch, ranked, effect = c.welch, c.mann_whitney, c.effect
    interval = welch.interval if welch else None
    holm = " (Holm)" if several else ""

    def p(raw: float | None, adjusted: float | None) -> str:
        if raw is None or adjusted is None:
            return "-"
        return f"{_p_text(raw)} ({_p_text(adjusted)})" if several else _p_text(raw)

    return {
        f"{by}={written(by, values[0])}": f"{_spread(c.first, c.metric)} ({c.first.ranked})",
        f"{by}={written(by, values[1])}": f"{_spread(c.second, c.metric)} ({c.second.ranked})",
        "difference": "-" if c.difference is None else _number(c.difference, c.metric),
        "difference 95 % CI": _ends(interval, c.metric),
        f"Welch p{holm}": p(welch.p if welch else None, c.welch_holm),
        f"Mann-Whitney p{holm}": p(ranked.p if ranked else None, c.mann_whitney_holm),
        "Hedges g": f"{effect.g:.2f}" if effect else "-",
        "AUC": _number(c.auc.value) if c.auc else "-",
        "AUC 95 % CI": _ends(c.auc.interval if c.auc else None),
        _RHO: _correlation(c.largest_modulus),
        _RHO_NEXT: _correlation(c.next_modulus),
        "verdict": c.verdict or "-",
    }


def _correlation(found: RankCorrelation | None) -> str:
    return "-" if found is None else f"{found.rho:.2f} ({_p_text(found.p)})"


def _findings(c: Comparison) -> list[str]:
    points = " points" if c.metric.unit == "percent" else _unit(c.metric)
    found = []
    if c.difference is not None:
        text = f"difference over {c.units} {_number(c.difference, c.metric)}{points}"
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
        text = f"Too few {c.units} to tell{because}"
    else:
        text = f"Not enough to tell them apart{because}"
    if c.needed is not None and c.needed > min(c.first.n, c.second.n):
        text += (
            f"; if the difference is as large as it looks, about {c.needed} {c.units} a group"
            " would show it (80 % power)"
        )
    return f"{text}."


def _left_out(comparisons: Sequence[Comparison], groups: TwoGroups) -> list[str]:
    found = []
    diverged = [
        sum(bool(row["diverged"]) for runs in networks for row in runs)
        for networks in groups.networks
    ]
    if sum(diverged):
        text = (
            f"Diverged: {diverged[1]} of {counted(groups.runs[1], 'run')} with {groups.labels[1]},"
            f" {diverged[0]} of {groups.runs[0]} with {groups.labels[0]}. Without a value they are"
            " left out of means, intervals, Welch and g, which flatters their group"
        )
        if any(c.metric.diverged_is_worst for c in comparisons):
            text += (
                f"; in ranks (Mann-Whitney, AUC, rho) a diverged run, or a {groups.noun} with one,"
                " is worst"
            )
        found.append(f"{text}.")
    found += [
        f"{c.metric.name} is not finite in {c.second.not_finite} of"
        f" {counted(groups.runs[1], 'run')} with {groups.labels[1]}, {c.first.not_finite} of"
        f" {groups.runs[0]} with {groups.labels[0]}; they have no value."
        for c in comparisons
        if c.first.not_finite or c.second.not_finite
    ]
    if groups.without_value:
        found.append(f"{counted(groups.without_value, 'run')} left out: {groups.by} is null.")
    if groups.in_both:
        found.append(
            f"{counted(groups.in_both, 'run')} left out, in both {groups.labels[0]} and"
            f" {groups.labels[1]}: the groups of a test share none."
        )
    if groups.unfinished:
        found.append(f"PARTIAL: {left_out(groups.unfinished)}.")
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
            f" compares only {groups.noun}s that agree in all of it; for tests on one value use"
            f" --where, such as --where '{factor.name}={written(factor.name, factor.values[0])}'."
            + (
                " A scheme that occurs with several values counts several times."
                if groups.noun == "network"
                else ""
            )
        )
    return found


def _factors(factors: Sequence[Factor]) -> str:
    texts = []
    for factor in factors:
        values = [
            json.dumps(written(factor.name, v) if isinstance(v, str) else v, ensure_ascii=False)
            for v in factor.values
        ]
        more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
        texts.append(f"{factor.name} ({', '.join(values[:_LISTED])}{more})")
    return ", ".join(texts)


def _diverged(group: GroupSummary) -> str:
    return f", {group.diverged} diverged" if group.diverged else ""


def _spread(group: GroupSummary, metric: Metric) -> str:
    return spread_shown(group.mean, group.std, _as_tested(metric)) or "-"


def _ends(interval: Interval | None, metric: Metric | None = None) -> str:
    if interval is None:
        return "-"
    return " to ".join(_number(end, metric) for end in interval)


def _number(value: float, metric: Metric | None = None) -> str:
    """Two decimals for percent and what is no metric, or those that a trainer asked for; else four
    digits, for metrics of any size.
    """
    return f"{value:.2f}" if metric is None else mean_shown(value, _as_tested(metric))


def _as_tested(metric: Metric) -> Metric:
    known = metric.number or metric.unit == "percent"
    return replace(metric, mean_decimals=metric.decimals if known else None, whole=False)


def _unit(metric: Metric) -> str:
    """Of what a trainer reported; the units of other columns are in the docs."""
    return f" {readable(metric.unit)}" if metric.number and metric.unit else ""


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
