"""Done runs in two groups, as single runs and as networks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from results.analysis.group_tests.not_two_groups import not_two_groups
from results.analysis.replicates import by_network, identity
from results.analysis.sort_keys import sort_key
from results.analysis.statistics import summarize
from results.metrics import written
from results.queries.row_columns import Column, Columns
from results.records import RunRow

#: What counts as one value of a sample: a network with all its seeds, or each run.
Level = Literal["networks", "runs"]
LEVELS: tuple[Level, ...] = ("networks", "runs")

#: The runs of one network, at least one.
Runs = Sequence[RunRow]


@dataclass(frozen=True, slots=True)
class TwoGroups:
    """The done runs by the two values of a key: false before true, numbers by size.

    `networks` has each group's runs by network, that is runs that differ in their seed alone.
    `without_value`, `in_both` and `unfinished` count the runs left out: the key is null, the run is
    in two groups, as it may be in two sweeps, or it is not done: these by state.
    """

    by: str
    values: tuple[Any, Any]
    networks: tuple[Sequence[Runs], Sequence[Runs]]
    without_value: int
    in_both: int
    unfinished: Mapping[str, int]

    @property
    def labels(self) -> tuple[str, str]:
        """The groups as `--where` names them, such as "zero_stable=false"."""
        first, second = (f"{self.by}={written(self.by, value)}" for value in self.values)
        return first, second

    @property
    def noun(self) -> str:
        """What seeds alone do not tell apart: a network, or a setting of other trainers."""
        rows = (row for networks in self.networks for runs in networks for row in runs)
        return "setting" if any(row["model"] is None for row in rows) else "network"

    @property
    def runs(self) -> tuple[int, int]:
        """How many runs each group has."""
        return sum(map(len, self.networks[0])), sum(map(len, self.networks[1]))


@dataclass(frozen=True, slots=True)
class Unit:
    """One value of a sample, a run or a network, with at least one row.

    `value` enters means: None if nothing was measured. `ranked` enters ranks: a diverged run is
    worse than any other, so infinite; None if it neither diverged nor was measured.
    """

    rows: Runs
    value: float | None
    ranked: float | None

    @property
    def diverged(self) -> bool:
        """Whether any of its runs diverged."""
        return any(row["diverged"] for row in self.rows)

    @property
    def moduli(self) -> list[float] | None:
        """The scheme's root moduli, largest first; None where they are not known."""
        moduli: list[float] | None = self.rows[0]["root_moduli"]
        return moduli


@dataclass(frozen=True, slots=True)
class Sample:
    """One group's networks or runs that have a value or a rank, in one metric.

    `not_finite` of its done runs have a number that is not finite instead.
    """

    units: Sequence[Unit]
    not_finite: int


def split_in_two(rows: Sequence[RunRow], by: str) -> TwoGroups:
    """The done runs by the values of `by`; runs where it is null are left out.

    Raises UnknownColumnError, and NotTwoGroupsError unless there are exactly two values.
    """
    columns = Columns(rows)
    column = columns.find(by)
    done = [row for row in rows if row["state"] == "done"]
    members: dict[str, dict[str, RunRow]] = {}
    values: dict[str, Any] = {}
    for row in done:
        for value in column.values(row):
            # A run in no sweep has an empty text for its name.
            if value is not None and value != "":
                key = identity(_but_for_rounding(value) if column.rounded else value)
                values.setdefault(key, value)
                members.setdefault(key, {})[row["run_id"]] = row
    order = sorted(members, key=lambda key: sort_key(values[key]))
    if len(order) != 2:
        counted_values = [(values[key], len(members[key])) for key in order]
        raise not_two_groups(column, counted_values, columns, done)
    first, second = (members[key] for key in order)
    in_both = first.keys() & second.keys()
    alone = [[g[run_id] for run_id in g if run_id not in in_both] for g in (first, second)]
    if not all(alone):
        left = [(values[key], len(g)) for key, g in zip(order, alone, strict=True) if g]
        raise not_two_groups(column, left, columns, done)
    return TwoGroups(
        by=column.name,
        values=(values[order[0]], values[order[1]]),
        networks=(by_network(alone[0]), by_network(alone[1])),
        without_value=len(done) - len(first.keys() | second.keys()),
        in_both=len(in_both),
        # Nobody waits for a run in no sweep.
        unfinished=Counter(row["state"] for row in rows if row["state"] != "done" and row["sweep"]),
    )


def sample(networks: Sequence[Runs], column: Column, level: Level) -> Sample:
    """The networks, each averaged over its seeds, or the runs; those without any value left out.

    Where a diverged run is worst in ranks, a network is so as soon as one of its runs diverged.
    """
    members = networks if level == "networks" else [[row] for runs in networks for row in runs]
    found = [_unit(runs, column) for runs in members]
    reported = (metric for runs in networks for row in runs for metric in row["metrics"])
    return Sample(
        units=[unit for unit in found if unit.ranked is not None],
        not_finite=sum(m["name"] == column.name and m["value"] is None for m in reported),
    )


def _but_for_rounding(value: Any) -> Any:
    """Equal for computed numbers of which 12 digits agree."""
    if isinstance(value, list):
        return [_but_for_rounding(item) for item in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _unit(rows: Runs, column: Column) -> Unit:
    value = summarize(column.read(row) for row in rows).mean
    ranked = value
    if column.metric.diverged_is_worst and any(_is_worst(row, column) for row in rows):
        ranked = math.inf if column.metric.better == "lower" else -math.inf
    return Unit(rows, value, ranked)


def _is_worst(row: RunRow, column: Column) -> bool:
    """Whether it diverged; with a value of a trainer's own metric it ranks by that."""
    return bool(row["diverged"]) and not (column.reported and column.read(row) is not None)
