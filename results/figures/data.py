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

#: run_id, epoch, learning_rate, train_loss, train_accuracy, test_loss, test_accuracy, seconds.
EpochRow = Mapping[str, Any]

#: run_id, probe, quantity, epoch, layer, value.
ProbeRow = Mapping[str, Any]


class Undrawable(Exception):  # noqa: N818 - a reason, which becomes an error once it has a name
    """Why a selection cannot give some figure: what is missing, and how to get it."""


@dataclass(frozen=True)
class Selection:
    """The groups of the done runs; how many runs are not done; epochs and probes of all runs."""

    groups: list[ReplicateGroup]
    unfinished: int
    metric: Column
    test_accuracy: Column
    epoch_rows: Iterable[EpochRow]
    probe_rows: Iterable[ProbeRow]

    @cached_property
    def epochs(self) -> dict[str, list[EpochRow]]:
        """Epochs by run id, in order."""
        by_run: dict[str, list[EpochRow]] = defaultdict(list)
        for row in self.epoch_rows:
            by_run[row["run_id"]].append(row)
        for rows in by_run.values():
            rows.sort(key=lambda row: row["epoch"])
        return dict(by_run)

    @cached_property
    def probes(self) -> dict[str, list[ProbeRow]]:
        """What probes measured, by run id."""
        by_run: dict[str, list[ProbeRow]] = defaultdict(list)
        for row in self.probe_rows:
            by_run[row["run_id"]].append(row)
        return dict(by_run)


def select(
    rows: Sequence[RunRow],
    epochs: Iterable[EpochRow],
    metric: str,
    probes: Iterable[ProbeRow] = (),
) -> Selection:
    """The selection of these rows; a run that is among them twice counts once.

    Raises UnknownColumnError for a metric that the runs do not have.
    """
    rows = list({row["run_id"]: row for row in rows}.values())
    columns = Columns(rows)
    done = [row for row in rows if row["state"] == "done"]
    return Selection(
        groups=replicate_groups(done),
        unfinished=len(rows) - len(done),
        metric=columns.metric(metric),
        test_accuracy=columns.metric("test_accuracy"),
        epoch_rows=epochs,
        probe_rows=probes,
    )
