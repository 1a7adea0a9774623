"""What runs are called."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from results.queries.schemes import scheme_column, scheme_of
from results.schema.tables import runs, sweep_runs
from results.trainer_label import MOST_COMPARED, Label, TrainerLabels


def naming_columns(connection: Connection) -> list[ColumnElement[Any]]:
    """The columns of a run by which it is called."""
    scheme = scheme_column(connection.dialect.name).label("scheme")
    return [runs.c.run_id, runs.c.model, scheme, runs.c.depth, runs.c.seed, runs.c.config]


class RunLabels:
    """The labels of runs of these sweeps.

    They are compared with one another when one of somebody's own trainer is asked for.
    """

    def __init__(self, connection: Connection, sweep_ids: Sequence[int]) -> None:
        self._connection = connection
        self._sweep_ids = sweep_ids

    def label_of(self, run: Any) -> Label:
        """What a row with `naming_columns` is called."""
        if run.model is None:
            return self._of_trainers.label(run.config, run.seed)
        scheme = scheme_of(run.scheme)
        return Label(f"{run.model} ({scheme}), depth {run.depth}, seed {run.seed}", "")

    @cached_property
    def _of_trainers(self) -> TrainerLabels:
        some = (
            select(runs.c.config)
            .join(sweep_runs, sweep_runs.c.run_id == runs.c.run_id)
            .where(sweep_runs.c.sweep_id.in_(self._sweep_ids), runs.c.model.is_(None))
            .order_by(sweep_runs.c.run_id)
            .limit(MOST_COMPARED)
        )
        return TrainerLabels(self._connection.scalars(some))
