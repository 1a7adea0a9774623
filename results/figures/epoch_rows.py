"""What is known of each epoch, for training curves: no more of it than can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.figures.data import EpochRow

if TYPE_CHECKING:
    from results.queries.queries import Queries

MOST_ROWS = 200_000
"""Some 100 MB of memory. 36 panels of 5 seeds, each as many points wide as a page, have fewer."""


def epoch_values(
    queries: Queries, sweeps: Sequence[str], where: Sequence[str]
) -> tuple[list[EpochRow], str | None]:
    """The epochs of these runs; of more than MOST_ROWS some, evenly, and a sentence that says so.

    Whether runs have them or not, those chosen are the same for all.
    """
    every = _every(queries.count_epochs(sweeps, where=where))
    return [*queries.epoch_rows(sweeps, where=where, every=every)], _said(every, "epochs")


def metric_values(
    queries: Queries, sweeps: Sequence[str], where: Sequence[str], metric: str
) -> tuple[list[EpochRow], str | None]:
    """The same of a metric that trainers reported by name; nothing of any other."""
    every = _every(queries.count_epochs(sweeps, where=where, metric=metric))
    rows = queries.epoch_metric_rows(sweeps, where=where, metrics=[metric], every=every)
    values: list[EpochRow] = [
        {"run_id": row["run_id"], "epoch": row["epoch"], metric: row["value"]} for row in rows
    ]
    return values, _said(every, f"epochs with {metric}")


def _every(count: int) -> int:
    return -(-count // MOST_ROWS) or 1


def _said(every: int, what: str) -> str | None:
    if every == 1:
        return None
    return (
        f"training curves are drawn of one in {every} {what}: all are more than the {MOST_ROWS:,}"
        " values that are read; choose runs with --where for more"
    )
