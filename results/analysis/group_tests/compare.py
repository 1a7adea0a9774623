"""Whether two groups of runs do differently: the tests behind `sweep report --test KEY`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from results.analysis.group_tests import wording
from results.analysis.group_tests.comparison import Comparison, adjust_for_several, compare, judge
from results.analysis.group_tests.samples import (
    LEVELS,
    Level,
    split_in_two,
    units,
)
from results.analysis.group_tests.strata import find_strata
from results.analysis.statistics import Interval
from results.json_values import finite
from results.queries.row_columns import Columns
from results.records import RunRow


@dataclass(frozen=True, slots=True)
class GroupTest:
    """Two groups of done runs, compared in several metrics.

    `values` are the two values of the key `by`; every difference is the second minus the first.
    `comparisons` hold each metric twice, over networks and over runs. `sentences` are a verdict
    for each metric, `notes` what has to be known to read them.
    """

    by: str
    values: tuple[Any, Any]
    comparisons: tuple[Comparison, ...]
    sentences: tuple[str, ...]
    notes: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Everything as plain JSON values, one flat object for each metric and level.

        Keys: `metric`, `level`; for both groups (1 and 2) `group1`, the value of the key, then
        `n1, diverged1, mean1, std1, low1, high1`; `difference, low, high` (of the means); Welch's
        `t, df, p, p_holm`; Mann-Whitney's `u, u_p, u_p_holm, u_method`; Hedges' `g, g_low,
        g_high`; `auc, auc_low, auc_high`; Spearman's `rho1, rho1_p, rho1_n` with the largest and
        `rho2, rho2_p, rho2_n` with the second largest modulus; `within, strata,
        strata_agreeing`; `needed, verdict, why`. What cannot be computed is None, and `verdict`
        is so on the level that does not decide. See `Comparison` for what each is.
        """
        return [_row(comparison, self.values) for comparison in self.comparisons]

    def table(self) -> list[dict[str, str]]:
        """The same for reading: a few columns of rounded text."""
        return [wording.table_row(c, self.by, self.values) for c in self.comparisons]


def compare_groups(
    rows: Sequence[RunRow], by: str, metrics: Sequence[str] | None = None
) -> GroupTest:
    """Compares the done runs of the two values of `by`.

    `rows` come from `Queries.run_rows` with `config=True`. `by` is a run key or dotted config
    path; runs where it is null are left out. `metrics` are numeric run keys, config paths or
    evaluation names; by default test_accuracy and every evaluation.

    Each metric is compared at two levels. Over networks, each network (runs that differ in
    nothing but the seed) is one value, its mean over seeds: this is the level for claims about
    schemes, of which seeds are no independent samples. Over runs, each run is one value: this
    decides only between two single networks. Diverged runs have no accuracy and stay out of
    means, t tests and effect sizes; in ranks (Mann-Whitney, AUC, Spearman) they are worst.

    Raises UnknownColumnError and NotTwoGroupsError.
    """
    columns = Columns(rows)
    names = ["test_accuracy", *columns.evaluations] if metrics is None else metrics
    measures = [columns.metric(name) for name in dict.fromkeys(names)]
    groups = split_in_two(rows, by)
    strata = find_strata(groups)
    by_level: dict[Level, list[Comparison]] = {}
    for level in LEVELS:
        found = []
        for column in measures:
            first, second = (units(networks, column, level) for networks in groups.networks)
            found.append(compare(column.metric, level, first, second, strata))
        by_level[level] = adjust_for_several(found)
    pairs = [judge(*pair) for pair in zip(by_level["networks"], by_level["runs"], strict=True)]
    return GroupTest(
        by=groups.by,
        values=groups.values,
        comparisons=tuple(comparison for pair in pairs for comparison in pair),
        sentences=tuple(wording.sentence(*pair, groups) for pair in pairs),
        notes=tuple(wording.notes([over_networks for over_networks, _ in pairs], groups, strata)),
    )


def _row(c: Comparison, values: tuple[Any, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"metric": c.metric.name, "level": c.level}
    for number, value, group in zip((1, 2), values, (c.first, c.second), strict=True):
        low, high = _ends(group.interval)
        row |= {
            f"group{number}": value,
            f"n{number}": group.n,
            f"diverged{number}": group.diverged,
            f"mean{number}": group.mean,
            f"std{number}": group.std,
            f"low{number}": low,
            f"high{number}": high,
        }
    row["difference"] = c.difference
    row["low"], row["high"] = _ends(c.welch.interval if c.welch else None)
    row["t"], row["df"], row["p"] = (
        (c.welch.t, c.welch.df, c.welch.p) if c.welch else (None, None, None)
    )
    row["p_holm"] = c.welch_holm
    ranked = c.mann_whitney
    row["u"], row["u_p"] = (ranked.u, ranked.p) if ranked else (None, None)
    row["u_p_holm"] = c.mann_whitney_holm
    row["u_method"] = ranked.method if ranked else None
    row["g"] = c.effect.g if c.effect else None
    row["g_low"], row["g_high"] = _ends(c.effect.interval if c.effect else None)
    row["auc"] = c.auc.value if c.auc else None
    row["auc_low"], row["auc_high"] = _ends(c.auc.interval if c.auc else None)
    for number, found in ((1, c.largest_modulus), (2, c.next_modulus)):
        row[f"rho{number}"] = found.rho if found else None
        row[f"rho{number}_p"] = found.p if found else None
        row[f"rho{number}_n"] = found.n if found else None
    row["within"] = c.within.difference if c.within else None
    row["strata"] = c.within.strata if c.within else None
    row["strata_agreeing"] = c.within.agreeing if c.within else None
    row |= {"needed": c.needed, "verdict": c.verdict, "why": c.why}
    checked: dict[str, Any] = finite(row)
    return checked


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval.low, interval.high)
