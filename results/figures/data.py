"""What a figure is drawn from: the finished runs, by groups, with the metric asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from results.figures.replicates import ReplicateGroup, replicate_groups
from results.queries.row_columns import Column, Columns
from results.records import RunRow
from results.run_columns import DEFAULT_METRIC

#: run_id, epoch, learning_rate, train_loss, train_accuracy, test_loss, test_accuracy, seconds; or
#: run_id, epoch, and a metric that the trainer reported then, by its name.
EpochRow = Mapping[str, Any]

#: run_id, probe, quantity, epoch, layer, value.
ProbeRow = Mapping[str, Any]


_LOSSES = ("train_loss", "test_loss")


def at_epochs(metric: Column) -> str:
    """What is drawn by epoch for this metric: itself, or accuracies where no epoch can have it."""
    return metric.name if metric.reported or metric.name in _LOSSES else DEFAULT_METRIC


class Undrawable(Exception):  # noqa: N818 - a reason, which becomes an error once it has a name
    """Why a figure cannot be drawn of a selection: what is missing, and how to get it."""


def check_fits(count: int, most: int, what: str, way_out: str = "choose some with --where") -> None:
    """Raises Undrawable if `count` of `what` are more than `most`."""
    if count > most:
        raise Undrawable(f"{count} {what} are more than the {most} that fit on a page: {way_out}")


@dataclass(frozen=True)
class Selection:
    """The groups of the done runs; those that are not done; epochs and probes of all runs.

    `not_done` are rows.
    """

    groups: list[ReplicateGroup]
    not_done: Sequence[RunRow]
    metric: Column
    test_accuracy: Column
    epoch_rows: Iterable[EpochRow]
    probe_rows: Iterable[ProbeRow]

    def check_metric(self, groups: Sequence[ReplicateGroup]) -> None:
        """Raises Undrawable if no run of these groups has a value of the metric."""
        if not any(group.values(self.metric) for group in groups):
            raise Undrawable(f"no done run has a value of {self.metric.name}")

    @property
    def networks(self) -> bool:
        """Whether any run is one of a network."""
        return not all(group.own for group in self.groups) or any(
            row["model"] is not None for row in self.not_done
        )

    @cached_property
    def epochs(self) -> dict[str, list[EpochRow]]:
        """Epochs by run id, in order."""
        return _by_run(sorted(self.epoch_rows, key=lambda row: row["epoch"]))

    @cached_property
    def so_far(self) -> list[ReplicateGroup]:
        """Where no run is done: the groups of those that have reported an epoch."""
        if self.groups:
            return []
        return replicate_groups(row for row in self.not_done if row["run_id"] in self.epochs)

    @cached_property
    def probes(self) -> dict[str, list[ProbeRow]]:
        """What probes measured, by run id."""
        return _by_run(self.probe_rows)


def _by_run(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    by_run: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_run[row["run_id"]].append(row)
    return dict(by_run)


def select(
    rows: Sequence[RunRow], epochs: Iterable[EpochRow], metric: str, probes: Iterable[ProbeRow] = ()
) -> Selection:
    """The selection of these rows; a run that is among them twice counts once.

    Raises UnknownColumnError for a metric that the runs do not have.
    """
    rows = list({row["run_id"]: row for row in rows}.values())
    columns = Columns(rows)
    done = [row for row in rows if row["state"] == "done"]
    return Selection(
        groups=replicate_groups(done),
        not_done=[row for row in rows if row["state"] != "done"],
        metric=columns.metric(metric),
        test_accuracy=columns.metric("test_accuracy"),
        epoch_rows=epochs,
        probe_rows=probes,
    )
