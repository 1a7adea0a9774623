"""Whether two groups of runs do differently: the tests behind `sweep report --test KEY`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from results.analysis.group_tests import wording
from results.analysis.group_tests.comparison import Comparison, adjust_for_several, compare, judge
from results.analysis.group_tests.samples import LEVELS, Level, sample, split_in_two
from results.analysis.group_tests.strata import find_strata
from results.analysis.imported import MARKS
from results.json_values import finite
from results.queries.row_columns import Columns
from results.records import RunRow
from results.run_columns import DEFAULT_METRIC, OF_OTHER_TRAINERS


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

        Keys: `metric`, `level` ("networks" or "runs"), `units`, what those of the level are called;
        for both groups (1 and 2) `group1`, the value of the key, then
        `n1, diverged1, not_finite1, imported1, measured_elsewhere1, mean1, std1, low1, high1`;
        `difference, low, high` (of the means); Welch's `t, df, p, p_holm`; Mann-Whitney's `u, u_p,
        u_p_holm, u_method`; Hedges' `g, g_low, g_high`; `auc, auc_low, auc_high`; Spearman's `rho1,
        rho1_p, rho1_n` with the largest and `rho2, rho2_p, rho2_n` with the second largest modulus;
        `within, strata, strata_agreeing`; `needed, verdict, why`. What cannot be computed is None,
        and `verdict` is so on the level that does not decide. See `Comparison` for what each is.
        """
        return [_row(comparison, self.values) for comparison in self.comparisons]

    def table(self) -> list[dict[str, str]]:
        """The same for reading: rounded text, one line a statistic of each metric."""
        pairs = list(zip(self.comparisons[::2], self.comparisons[1::2], strict=True))
        return wording.table(pairs, self.by, self.values)


def compare_groups(
    rows: Sequence[RunRow], by: str, metrics: Sequence[str] | None = None
) -> GroupTest:
    """Compares the done runs of the two values of `by`.

    `rows` come from `Queries.run_rows` with `config=True`. `by` is a run key or dotted config
    path; runs where it is null are left out. `metrics` are numeric run keys, config paths, names
    of evaluations or of what trainers reported; by default test_accuracy, unless no run has one
    and a trainer reported others, every evaluation, and all that trainers reported: losses too,
    where the rows were asked for them.

    Each metric is compared at two levels. Over networks, each network (runs that differ in
    nothing but the seed) is one value, its mean over seeds: this is the level for claims about
    schemes, of which seeds are no independent samples. Over runs, each run is one value: this
    decides only between two single networks. Diverged runs have no accuracy and stay out of
    means, t tests and effect sizes; in ranks (Mann-Whitney, AUC, Spearman) they are worst.

    Raises UnknownColumnError and NotTwoGroupsError.
    """
    columns = Columns(rows)
    names = _by_default(rows, columns) if metrics is None else metrics
    measures = [columns.metric(name) for name in dict.fromkeys(names)]
    groups = split_in_two(rows, by)
    strata = find_strata(groups)
    by_level: dict[Level, list[Comparison]] = {}
    for level in LEVELS:
        found = []
        for column in measures:
            first, second = (sample(networks, column, level) for networks in groups.networks)
            found.append(compare(column.metric, level, groups.noun, (first, second), strata))
        by_level[level] = adjust_for_several(found)
    pairs = [judge(*pair) for pair in zip(by_level["networks"], by_level["runs"], strict=True)]
    return GroupTest(
        by=groups.by,
        values=groups.values,
        comparisons=tuple(comparison for pair in pairs for comparison in pair),
        sentences=tuple(wording.sentence(*pair, groups) for pair in pairs),
        notes=tuple(wording.notes([over_networks for over_networks, _ in pairs], groups, strata)),
    )


def _by_default(rows: Sequence[RunRow], columns: Columns) -> list[str]:
    own = [row for row in rows if "source" in (row.get("config") or {})]
    known = [column for name in OF_OTHER_TRAINERS if (column := columns.look_up(name))]
    others = [c.name for c in known if any(c.read(row) is not None for row in own)]
    without = (others or columns.metrics) and all(row[DEFAULT_METRIC] is None for row in rows)
    return [
        *([] if without else [DEFAULT_METRIC]),
        *others,
        *columns.evaluations,
        *columns.metrics,
    ]


def _row(c: Comparison, values: tuple[Any, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"metric": c.metric.name, "level": c.level, "units": c.units}
    for number, value, group in zip((1, 2), values, (c.first, c.second), strict=True):
        row[f"group{number}"] = value
        row |= _fields(group, n="n", diverged="diverged", not_finite="not_finite", to=str(number))
        row |= _fields(group, **{mark: mark for mark in MARKS}, to=str(number))
        row |= _fields(group, mean="mean", std="std", to=str(number))
        row |= _fields(group.interval, low="low", high="high", to=str(number))
    row["difference"] = c.difference
    row |= _fields(c.welch, low="interval.low", high="interval.high", t="t", df="df", p="p")
    row["p_holm"] = c.welch_holm
    row |= _fields(c.mann_whitney, u="u", u_p="p")
    row["u_p_holm"] = c.mann_whitney_holm
    row |= _fields(c.mann_whitney, u_method="method")
    row |= _fields(c.effect, g="g", g_low="interval.low", g_high="interval.high")
    row |= _fields(c.auc, auc="value", auc_low="interval.low", auc_high="interval.high")
    row |= _fields(c.largest_modulus, rho1="rho", rho1_p="p", rho1_n="n")
    row |= _fields(c.next_modulus, rho2="rho", rho2_p="p", rho2_n="n")
    row |= _fields(c.within, within="difference", strata="strata", strata_agreeing="agreeing")
    row |= {"needed": c.needed, "verdict": c.verdict, "why": c.why}
    checked: dict[str, Any] = finite(row)
    return checked


def _fields(found: object | None, to: str = "", **paths: str) -> dict[str, Any]:
    """Attributes by the keys of a row, each with `to` at its end; None where nothing is found."""
    return {
        f"{key}{to}": None if found is None else attrgetter(path)(found)
        for key, path in paths.items()
    }
