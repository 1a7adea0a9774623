"""Runs that differ in nothing but their seed, taken together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, Generic, NamedTuple, TypeVar

from results.analysis.replicates import by_network
from results.analysis.sort_keys import sort_key
from results.analysis.statistics import summarize
from results.json_values import leaves
from results.provenance import short_digests
from results.queries.row_columns import Column
from results.records import RunRow
from sweep_plugins.schemes.exact_text import exact_text

#: Config paths that a run has as columns, as it has its scheme: groups are distinguished by them.
_KNOWN = ("seed", "model.name", "model.depth", "dataset.name")

_Value = TypeVar("_Value")


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


class Course(NamedTuple):
    """A group's values by place, an epoch or the number of a layer: of the runs that did not
    diverge together, and of each run that did.
    """

    finished: dict[int, Sample]
    diverged: list[dict[int, float]]


class _Shared(Generic[_Value]):
    """A column of `results.run_columns` that has the same value in all runs of a group."""

    def __set_name__(self, group: type, name: str) -> None:
        self._name = name

    def __get__(self, group: ReplicateGroup, kind: type) -> _Value:
        value: _Value = group.runs[0][self._name]
        return value


@dataclass(frozen=True)
class ReplicateGroup:
    """One network with one training recipe: its runs differ in their seed only.

    `setting` has the config paths, with their values, that tell this group from others of the same
    model, scheme, depth and dataset; the same paths for all groups of a selection. `own` is whether
    they are runs of a trainer that names no model: then `model` is the trainer, and `scheme` the
    setting in words.
    """

    runs: tuple[RunRow, ...]
    setting: tuple[tuple[str, Any], ...] = ()
    own: bool = False

    model = _Shared[str]()
    scheme = _Shared[str]()
    depth = _Shared[int | None]()
    dataset = _Shared[str]()
    alpha = _Shared[list[float] | None]()
    beta = _Shared[float | None]()
    root_moduli = _Shared[list[float] | None]()
    zero_stable = _Shared[bool | None]()
    parameters = _Shared[int]()

    def lacks(self, column: Column) -> bool:
        """Whether the column is none that its runs could have: it is null in all, for no reason."""
        reported = (metric["name"] for run in self.runs for metric in run["metrics"])
        return not (self.diverged or self.values(column) or column.name in reported)

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

    def by_place(self, values: Mapping[str, Mapping[int, float | None]]) -> Course:
        """`values` are by run id, then by place; None: not finite."""
        finished: dict[int, list[float]] = defaultdict(list)
        diverged = []
        for run in self.runs:
            of_run = values.get(run["run_id"], {})
            known = {place: v for place, v in sorted(of_run.items()) if v is not None}
            if run["diverged"]:
                diverged.append(known)
                continue
            for place, value in known.items():
                finished[place].append(value)
        return Course({place: sample(finished[place]) for place in sorted(finished)}, diverged)


def replicate_groups(rows: Iterable[RunRow]) -> list[ReplicateGroup]:
    """The groups of these runs, by largest root modulus; those without a fixed scheme come last.

    A run without a `config` is distinguished by its columns alone.
    """
    members = by_network(rows)
    alike: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for first, *_ in members:
        alike[_columns(first)].append(_settings(first))
    differing = {columns: _differing(settings) for columns, settings in alike.items()}
    of_networks = {path for found in differing.values() for path in found}
    groups = []
    for runs in members:
        ordered = tuple(sorted(runs, key=lambda run: (run["seed"], run["run_id"])))
        # What differs among other trainers' runs says nothing of this one's.
        own = runs[0]["model"] is None
        paths = sorted(differing[_columns(runs[0])] if own else of_networks)
        setting = tuple((path, _settings(runs[0]).get(path)) for path in paths)
        groups.append(ReplicateGroup(ordered, setting))
    return [_named(group) if group.model is None else group for group in sorted(groups, key=_order)]


def _columns(row: RunRow) -> tuple[Any, ...]:
    """What tells runs apart before their settings do."""
    return (row["model"] or _trainer_of(row), row["scheme"], row["depth"], row["dataset"])


def _named(group: ReplicateGroup) -> ReplicateGroup:
    """The group of another trainer, with names in place of a model and a scheme."""
    trainer = _trainer_of(group.runs[0])
    known = [(path, value) for path, value in group.setting if value is not None]
    names_of_paths = short_paths([path for path, _ in known])
    words = [
        f"{name} {value_text(value)}"
        for name, (_, value) in zip(names_of_paths, known, strict=True)
    ]
    names = {"model": trainer, "scheme": ", ".join(words) or trainer}
    return ReplicateGroup(tuple(run | names for run in group.runs), own=True)


def _trainer_of(row: RunRow) -> str:
    return str((row.get("config") or {}).get("trainer"))


def short_paths(paths: Sequence[str]) -> list[str]:
    """The last words of config paths, or whole ones where several end in the same."""
    last = [path.rsplit(".", 1)[-1] for path in paths]
    return [word if last.count(word) == 1 else path for word, path in zip(last, paths, strict=True)]


def value_text(value: Any) -> str:
    """A value of a config: floats to the last digit, the first digits of the SHA-256 of code."""
    if isinstance(value, float):
        return exact_text(value)
    return short_digests(value) if isinstance(value, str) else str(value)


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
    setting = (value for _, value in group.setting)
    rest = (group.model, group.scheme, group.dataset, group.depth, *setting)
    return (moduli is None, moduli or [], *map(sort_key, rest))
