"""What else the runs of two groups differ in, and the groups' difference where that is equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from results.analysis.group_tests.samples import TwoGroups, Unit
from results.analysis.replicates import identity
from results.analysis.sort_keys import sort_key
from results.analysis.statistics import summarize
from results.queries.row_columns import Column, Columns
from results.records import RunRow
from results.run_columns import OF_SCHEME, RUN_COLUMNS

#: Run keys, and the config paths that say the same.
_SAME = {column.name: column.config_path for column in RUN_COLUMNS if column.config_path}
_RUN_KEYS = ("dataset", "model", "depth", "epochs", "trainable", "scheme")
#: Keys that follow from the scheme: their groups have other schemes by nature.
_OF_THE_SCHEME = ("scheme", "trainable", *(column.name for column in OF_SCHEME))


@dataclass(frozen=True, slots=True)
class Factor:
    """A key, other than the one tested and the seed, that has several values among the runs."""

    column: Column
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The name of its column."""
        return self.column.name


@dataclass(frozen=True, slots=True)
class Strata:
    """`crossed` factors have a value that occurs in both groups, so runs can be compared at equal
    values; `confounded` ones have none, so that the groups' difference may be theirs.
    """

    crossed: tuple[Factor, ...]
    confounded: tuple[Factor, ...]

    def of(self, row: RunRow) -> str:
        """Equal for runs that have the same values of all crossed factors."""
        return identity([factor.column.read(row) for factor in self.crossed])


@dataclass(frozen=True, slots=True)
class WithinDifference:
    """The difference of the means inside strata, averaged with weights n_1 n_2 / (n_1 + n_2).

    `strata` have values of both groups; in `agreeing` of them the difference has the sign of the
    average.
    """

    difference: float
    strata: int
    agreeing: int


def find_strata(groups: TwoGroups) -> Strata:
    """What differs among the runs of the groups other than `groups.by` and the seed.

    Of several keys that divide the runs in the same way, only the first is a factor. Schemes that
    differ because the groups are made by a property of the scheme are no factor.
    """
    rows = [runs[0] for networks in groups.networks for runs in networks]
    columns = Columns(rows)
    by = {groups.by, _SAME.get(groups.by)} | {k for k, path in _SAME.items() if path == groups.by}
    crossed, confounded, divisions = [], [], set()
    for name in _candidates(columns):
        if name in by:
            continue
        column = columns.find(name)
        keys = [identity(column.read(row)) for row in rows]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        division = tuple(numbers[key] for key in keys)
        if len(numbers) == 1 or division in divisions:
            continue
        divisions.add(division)
        values = {key: column.read(row) for key, row in zip(keys, rows, strict=True)}
        factor = Factor(column, tuple(sorted(values.values(), key=sort_key)))
        count = len(groups.networks[0])
        if set(keys[:count]) & set(keys[count:]):
            crossed.append(factor)
        elif not (name in ("scheme", "trainable") and _follows_from_scheme(groups.by)):
            confounded.append(factor)
    return Strata(tuple(crossed), tuple(confounded))


def difference_within(
    first: Sequence[Unit], second: Sequence[Unit], strata: Strata
) -> WithinDifference | None:
    """The difference, second minus first, between units that agree in all crossed factors.

    None without such factors, or if no stratum has measured units of both groups.
    """
    if not strata.crossed:
        return None
    members: dict[str, tuple[list[float], list[float]]] = {}
    for side, sample in enumerate((first, second)):
        for unit in sample:
            if unit.value is not None:
                stratum = members.setdefault(strata.of(unit.rows[0]), ([], []))
                stratum[side].append(unit.value)
    differences, weights = [], []
    for values_1, values_2 in members.values():
        mean_1, mean_2 = summarize(values_1).mean, summarize(values_2).mean
        if mean_1 is not None and mean_2 is not None:
            differences.append(mean_2 - mean_1)
            weights.append(len(values_1) * len(values_2) / (len(values_1) + len(values_2)))
    if not differences:
        return None
    pairs = zip(weights, differences, strict=True)
    average = sum(weight * difference for weight, difference in pairs) / sum(weights)
    agreeing = sum(difference * average > 0 for difference in differences)
    return WithinDifference(average, len(differences), agreeing)


def _candidates(columns: Columns) -> list[str]:
    config = [
        path
        for path in columns.config_kinds()
        if path not in _SAME.values() and path.split(".")[0] not in ("scheme", "seed")
    ]
    return [*_RUN_KEYS, *config]


def _follows_from_scheme(by: str) -> bool:
    return by in _OF_THE_SCHEME or by.split(".")[0] == "scheme"
