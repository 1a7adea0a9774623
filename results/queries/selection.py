"""The runs that a question is about, and the evaluations it knows for them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Subquery, or_, select

from results.database.dialects import is_one_of
from results.errors import UnknownSweepError
from results.schema.tables import (
    IS_IN_A_SWEEP,
    evaluation_configs,
    evaluations,
    runs,
    sweep_evaluations,
    sweep_runs,
    sweeps,
)


@dataclass(frozen=True, slots=True)
class KnownEvaluation:
    """One kind of measurement. `name` is unique within a selection."""

    evaluation_id: str
    name: str
    kind: str
    level: float | None


class Selection:
    """The runs of some sweeps, or of the whole database; of these only `run_ids`, if given.

    `sweeps` are the names of the sweeps by id, in the order asked for. `evaluations` are those
    that these sweeps ask for, in the order of the sweeps and of their lists; if no sweep was
    named, those measured for sweeps of the past follow, by kind and level. Should two different
    measurements share a name, both get the start of their ids, as in "gaussian[0.3]@1f09ab".
    """

    def __init__(
        self, connection: Connection, names: Sequence[str], run_ids: Iterable[str] | None = None
    ) -> None:
        """Raises UnknownSweepError."""
        self._dialect = connection.dialect.name
        self._run_ids = None if run_ids is None else sorted(set(run_ids))
        self.named = bool(names)
        self.sweeps = chosen_sweeps(connection, names)
        self.asked_for = self._asked_for(connection)
        self.evaluations = self._evaluations(connection)

    def holds(self, run_id: ColumnElement[str]) -> list[ColumnElement[bool]]:
        """The conditions under which the run of this id belongs to the selection."""
        if not self.named:
            return self._only(run_id)
        members = select(sweep_runs.c.run_id).where(sweep_runs.c.sweep_id.in_(self.sweeps))
        return [run_id.in_(members), *self._only(run_id)]

    def done_or_asked_for(self) -> list[ColumnElement[bool]]:
        """The conditions under which a row of `runs` counts in a report of the selection.

        Nobody waits for a run in no sweep: if it has a result, that counts.
        """
        return [] if self.named else [or_(runs.c.state == "done", IS_IN_A_SWEEP)]

    def memberships(self) -> Subquery:
        """Rows of run_id and the name of one of its sweeps, of those asked for."""
        of_runs = select(sweep_runs.c.run_id, sweeps.c.name).join(sweeps)
        if self.named:
            of_runs = of_runs.where(sweep_runs.c.sweep_id.in_(self.sweeps))
        return of_runs.subquery("memberships")

    def order(self, connection: Connection) -> dict[str, list[int]]:
        """The runs in the order of the sweeps and of their lists, each with its sweeps' ids.

        Runs in no sweep come last, in the order of their ids, if no sweep was named.
        """
        found: dict[str, list[int]] = {}
        for sweep_id in self.sweeps:
            query = select(sweep_runs.c.run_id).where(
                sweep_runs.c.sweep_id == sweep_id, *self._only(sweep_runs.c.run_id)
            )
            for run_id in connection.execute(query.order_by(sweep_runs.c.position)).scalars():
                found.setdefault(run_id, []).append(sweep_id)
        if not self.named:
            in_none = select(runs.c.run_id).where(
                ~select(sweep_runs.c.run_id).where(sweep_runs.c.run_id == runs.c.run_id).exists(),
                *self._only(runs.c.run_id),
            )
            ids = connection.execute(in_none.order_by(runs.c.run_id)).scalars()
            found |= {run_id: [] for run_id in ids}
        return found

    def _only(self, run_id: ColumnElement[str]) -> list[ColumnElement[bool]]:
        return [] if self._run_ids is None else [is_one_of(self._dialect, run_id, self._run_ids)]

    def _has_rows(self, run_id: ColumnElement[str], of: ColumnElement[bool]) -> ColumnElement[bool]:
        return select(run_id).where(of, *self._only(run_id)).exists()

    def _asked_for(self, connection: Connection) -> dict[int, list[str]]:
        """The evaluations of each sweep that has a run in the selection."""
        has_runs = self._has_rows(
            sweep_runs.c.run_id, sweep_runs.c.sweep_id == sweep_evaluations.c.sweep_id
        )
        query = select(sweep_evaluations.c.sweep_id, sweep_evaluations.c.evaluation_id)
        found: dict[int, list[str]] = defaultdict(list)
        for row in connection.execute(query.where(has_runs).order_by(sweep_evaluations.c.position)):
            found[row.sweep_id].append(row.evaluation_id)
        return {key: found[key] for key in self.sweeps if key in found}

    def _evaluations(self, connection: Connection) -> list[KnownEvaluation]:
        columns = [column for column in evaluation_configs.c if column.name != "config"]
        known = {row.evaluation_id: row for row in connection.execute(select(*columns))}
        ids = dict.fromkeys(e for asked in self.asked_for.values() for e in asked)
        if not self.named:
            measured = self._has_rows(
                evaluations.c.run_id,
                evaluations.c.evaluation_id == evaluation_configs.c.evaluation_id,
            )
            past = connection.execute(select(evaluation_configs.c.evaluation_id).where(measured))
            ids |= dict.fromkeys(sorted(past.scalars(), key=lambda key: _rank(known[key])))
        labels = _labels({key: known[key].name for key in ids})
        return [KnownEvaluation(key, labels[key], known[key].kind, known[key].level) for key in ids]


def chosen_sweeps(connection: Connection, names: Sequence[str]) -> dict[int, str]:
    """Names of these sweeps by id, in the order given; of all if none is given.

    Raises UnknownSweepError.
    """
    rows = connection.execute(select(sweeps.c.id, sweeps.c.name).order_by(sweeps.c.id))
    by_name = {row.name: row.id for row in rows}
    for name in names:
        if name not in by_name:
            raise UnknownSweepError(name, by_name)
    return {by_name[name]: name for name in names or by_name}


def _rank(config: Row[Any]) -> tuple[str, float, str, str]:
    level = -math.inf if config.level is None else config.level
    return config.kind, level, config.name, config.evaluation_id


def _labels(names: dict[str, str]) -> dict[str, str]:
    """What each evaluation is called: its name, with the start of its id where names clash."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for evaluation_id, name in names.items():
        by_name[name].append(evaluation_id)
    labels: dict[str, str] = {}
    for name, ids in by_name.items():
        # Six digits, or more if these do not tell the ids apart.
        digits = next(n for n in range(6, 17) if len({e[:n] for e in ids}) == len(ids))
        labels |= {e: name if len(ids) == 1 else f"{name}@{e[:digits]}" for e in ids}
    return labels
