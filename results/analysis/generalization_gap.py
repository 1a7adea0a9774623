"""The generalization gap by root moduli, as ZeroSNet's Table 7 has it of the accuracy.

Importing this module loads numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from results.analysis.imported import marks_of
from results.analysis.rank_correlation import kendall_tau
from results.analysis.replicates import by_network, identity
from results.analysis.statistics import summarize
from results.analysis.varied_keys import Setting, varied_keys
from results.errors import ResultsError
from results.json_values import leaves
from results.queries.row_columns import Column, Columns
from results.records import RunRow
from results.run_columns import DEFAULT_METRIC

_KEYS = ("model", "dataset", "epochs", "depth", "scheme", "root_moduli")


_TEST, _TRAIN = "test_", "train_"


def trained_with(tested: str) -> str:
    """The metric that says of training what `tested` says of testing, by its name.

    Raises ResultsError for a name that does not begin with "test_".
    """
    if not tested.startswith(_TEST):
        raise ResultsError(
            f"there is no gap of {tested!r}: name a metric test_NAME of which there is a train_NAME"
            " too, such as test_accuracy or test_loss"
        )
    return f"{_TRAIN}{tested.removeprefix(_TEST)}"


@dataclass(frozen=True, slots=True)
class _Gap:
    """The columns of both metrics and how much worse a run is in testing than in training."""

    train: Column
    test: Column
    name: str

    @classmethod
    def of(cls, rows: Sequence[RunRow], tested: str) -> _Gap:
        columns = Columns(rows)
        test, train = columns.metric(tested), columns.metric(trained_with(tested))
        if test.metric.better is None:
            raise ResultsError(
                f"there is no gap of {tested!r}: whether more or less of it is better is not known;"
                f" the trainer says it, with @trainer(metrics={{{tested!r}:"
                ' Reported(better="lower")}), or "higher"'
            )
        own = tested == DEFAULT_METRIC
        return cls(train, test, "generalization_gap" if own else f"{tested}_gap")

    def values(self, row: RunRow) -> dict[str, Any]:
        train, test = self.train.read(row), self.test.read(row)
        if self.test.name == DEFAULT_METRIC:
            gap = row[self.name]
        elif train is None or test is None:
            gap = None
        else:
            gap = test - train if self.test.metric.better == "lower" else train - test
        return {self.train.name: train, self.test.name: test, self.name: gap}


def gap_by_moduli(rows: Sequence[RunRow], tested: str = DEFAULT_METRIC) -> list[dict[str, Any]]:
    """The mean gap between training and testing of every network, in points of the accuracy.

    `tested` is the metric: test_accuracy, test_loss, or test_NAME of a trainer that reports
    train_NAME too. The gap is positive where testing is worse than training.

    `rows` come from `Queries.run_rows` with `config=True`, and with both `metrics`. Done runs of
    fixed schemes count; a learned scheme has no moduli. One dict a network, that is for all seeds
    of one config: `model, dataset, epochs, depth, scheme, root_moduli` (largest first), `runs`,
    `diverged` (of these, without accuracies), `imported`, then for train_accuracy, test_accuracy
    and generalization_gap (or train_NAME, test_NAME and test_NAME_gap) the mean under that name and
    the standard deviation (n - 1) under `<name>_std`, `tau`, and whatever else the networks differ
    in, by its path in the config.

    `tau` is the same for all networks that differ in nothing but their scheme: Kendall's tau-b
    between their moduli, ordered by the largest, then the next, and their mean gaps. 1 is what
    ZeroSNet's Table 7 suggests, smaller moduli with smaller gaps; -1 the opposite; None for
    fewer than two networks, or no spread.

    Ordered as that table: by depth, then by falling moduli, after model, dataset and epochs.

    Raises UnknownColumnError, and ResultsError for a metric that has no gap.
    """
    gap = _Gap.of(rows, tested)
    blocks: dict[str, list[dict[str, Any]]] = {}
    fixed = [r for r in rows if r["state"] == "done" and r["root_moduli"] is not None]
    networks = by_network(fixed)
    first = [runs[0] for runs in networks]
    settings = [Setting(row["model"], row["dataset"], row.get("config") or {}) for row in first]
    paths = [key for key in varied_keys(settings) if key not in _KEYS]
    for runs, setting in zip(networks, settings, strict=True):
        values = leaves(setting.config)
        entry = _entry(runs, gap) | {path: values.get(path) for path in paths}
        blocks.setdefault(_without_scheme(runs[0]), []).append(entry)
    for block in blocks.values():
        block.sort(key=_moduli, reverse=True)
        measured = [entry for entry in block if entry[gap.name] is not None]
        order = {moduli: place for place, moduli in enumerate(sorted(set(map(_moduli, measured))))}
        tau = kendall_tau(
            [order[_moduli(entry)] for entry in measured],
            [entry[gap.name] for entry in measured],
        )
        for entry in block:
            entry["tau"] = tau.tau if tau else None
    ordered = sorted(blocks, key=lambda key: (*_place(blocks[key][0]), key))
    return [entry for key in ordered for entry in blocks[key]]


def _entry(runs: Sequence[RunRow], gap: _Gap) -> dict[str, Any]:
    entry: dict[str, Any] = {key: runs[0][key] for key in _KEYS}
    entry["runs"] = len(runs)
    entry["diverged"] = sum(bool(row["diverged"]) for row in runs)
    entry["imported"] = marks_of(runs)["imported"]
    values = [gap.values(row) for row in runs]
    for name in values[0]:
        found = summarize(of_run[name] for of_run in values)
        entry |= {name: found.mean, f"{name}_std": found.std}
    return entry | {"tau": None}


def _without_scheme(row: RunRow) -> str:
    config = row.get("config") or {}
    rest = {key: value for key, value in config.items() if key not in ("scheme", "seed")}
    return identity([*_place(row), rest])


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["model"], row["dataset"], row["epochs"], row["depth"])


def _moduli(entry: dict[str, Any]) -> tuple[float, ...]:
    """Rounded, as equal moduli are computed with rounding errors."""
    return tuple(round(modulus, 9) for modulus in entry["root_moduli"])
