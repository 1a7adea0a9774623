"""Runs that differ in nothing but their seed, taken together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from results.analysis.replicates import replicate_key
from results.analysis.sort_keys import sort_key
from results.analysis.statistics import summarize
from results.json_values import leaves
from results.queries.row_columns import Column
from results.records import RunRow

#: Config paths that a run has as columns, as it has its scheme: groups are told apart by them.
_KNOWN = ("seed", "model.name", "model.depth", "dataset.name")


@dataclass(frozen=True, slots=True)
class Sample:
    """Mean, sample standard deviation (n - 1), least and greatest of at least one value.

    `std` is NaN for one value, so that no error bar is drawn.
    """

    mean: float
    std: float
    low: float
    high: float


def sample(values: Sequence[float]) -> Sample:
    """Raises ValueError if there is no value."""
    summary = summarize(values)
    if summary.mean is None or summary.min is None or summary.max is None:
        raise ValueError("a sample has at least one value")
    std = nan if summary.std is None else summary.std
    return Sample(summary.mean, std, summary.min, summary.max)


@dataclass(frozen=True)
class ReplicateGroup:
    """One network with one training recipe: its runs differ in their seed only.

    `setting` has the config paths, with their values, that tell this group from others of the same
    model, scheme, depth and dataset; the same paths for all groups of a selection.
    """

    runs: tuple[RunRow, ...]
    setting: tuple[tuple[str, Any], ...] = ()

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.runs[0]["model"])

    @property
    def scheme(self) -> str:
        """The scheme as a label."""
        return str(self.runs[0]["scheme"])

    @property
    def depth(self) -> int | None:
        """The depth in layers; None for a model without one."""
        depth: int | None = self.runs[0]["depth"]
        return depth

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return str(self.runs[0]["dataset"])

    @property
    def alpha(self) -> list[float] | None:
        """The coefficients of earlier states, newest first; None without a scheme."""
        alpha: list[float] | None = self.runs[0]["alpha"]
        return alpha

    @property
    def beta(self) -> float | None:
        """The coefficient of the residual function; None without a scheme."""
        beta: float | None = self.runs[0]["beta"]
        return beta

    @property
    def root_moduli(self) -> list[float] | None:
        """Largest first; None for a learned scheme and for a network without one."""
        moduli: list[float] | None = self.runs[0]["root_moduli"]
        return moduli

    @property
    def zero_stable(self) -> bool | None:
        """Whether its scheme is zero stable; None where that is not known."""
        stable: bool | None = self.runs[0]["zero_stable"]
        return stable

    @property
    def parameters(self) -> int:
        """The number of trainable parameters."""
        return int(self.runs[0]["parameters"])

    @property
    def learned(self) -> str | None:
        """What each block learns: "k", "lambda" or "coefficients"; None for a fixed scheme."""
        config = self.runs[0].get("config") or {}
        learned: str | None = (config.get("scheme") or {}).get("learned")
        return learned

    @property
    def diverged(self) -> int:
        """How many of the runs diverged."""
        return sum(1 for run in self.runs if run["diverged"])

    def values(self, column: Column) -> list[float]:
        """What was measured, one value a run; a diverged run may have none."""
        return [float(v) for v in map(column.read, self.runs) if v is not None]

    def sample(self, column: Column) -> Sample:
        """Over the runs; raises ValueError if none has a value."""
        return sample(self.values(column))


def replicate_groups(rows: Iterable[RunRow]) -> list[ReplicateGroup]:
    """The groups of these runs, by largest root modulus; those without a fixed scheme come last.

    A run without a `config` is told from others by its columns alone.
    """
    members: dict[str, list[RunRow]] = defaultdict(list)
    for row in rows:
        members[replicate_key(row)].append(row)
    alike: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for runs in members.values():
        alike[_columns(runs[0])].append(_settings(runs[0]))
    paths = sorted({path for settings in alike.values() for path in _differing(settings)})
    groups = [
        ReplicateGroup(
            tuple(sorted(runs, key=lambda run: (run["seed"], run["run_id"]))),
            tuple((path, _settings(runs[0]).get(path)) for path in paths),
        )
        for runs in members.values()
    ]
    return sorted(groups, key=_order)


def _columns(row: RunRow) -> tuple[Any, ...]:
    return (row["model"], row["scheme"], row["depth"], row["dataset"])


def _settings(row: RunRow) -> dict[str, Any]:
    """The values of a config by their paths, without those that are columns of the run."""
    config = row.get("config") or {"epochs": row["epochs"]}
    return {
        path: value
        for path, value in leaves(config).items()
        if path not in _KNOWN and path.split(".")[0] != "scheme"
    }


def _differing(settings: Sequence[dict[str, Any]]) -> set[str]:
    paths = {path for setting in settings for path in setting}
    return {
        path for path in paths if any(s.get(path) != settings[0].get(path) for s in settings[1:])
    }


def _order(group: ReplicateGroup) -> tuple[Any, ...]:
    # Computed moduli that are equal but for rounding must not decide.
    moduli = None if group.root_moduli is None else [round(m, 9) for m in group.root_moduli]
    rest = (
        group.model,
        group.scheme,
        group.dataset,
        group.depth,
        *(value for _, value in group.setting),
    )
    return (moduli is None, moduli or [], *map(sort_key, rest))
