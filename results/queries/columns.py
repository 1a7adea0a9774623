"""What a question to the database can name, as SQL expressions.

Names become bound parameters, never SQL text. The columns are those that
`results.queries.row_columns` finds in run rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Integer,
    Numeric,
    Text,
    case,
    cast,
    literal,
    select,
)
from typing_extensions import override

from results.database.dialects import rows_as_dicts
from results.errors import UnknownColumnError
from results.metrics import DEFINED, metric_of_config, metric_of_evaluation, metric_of_trainer
from results.queries.config_options import CONFIG_OPTIONS
from results.queries.config_sql import NUMBER_TYPES, config_text, json_type
from results.queries.default_metrics import measured
from results.queries.further_numbers import (
    OF_RUN,
    Probed,
    evaluation_of,
    listed,
    loss_of,
    metric_of,
    probed,
)
from results.queries.memberships import memberships
from results.queries.row_columns import (
    DEEPEST_PATH,
    Named,
    NamedColumns,
    can_be_named,
    kind_of_key,
    kind_of_path,
)
from results.queries.schemes import scheme_column, scheme_of
from results.queries.selection import Selection
from results.run_columns import COLUMN, NAMED_KEYS, TAG, RunColumn
from results.schema.bounds import NUMBER
from results.schema.tables import epoch_metrics, evaluations, metrics, probes, runs
from sweep_plugins.metric_name import why_no_metric


@dataclass(frozen=True, slots=True, eq=False)
class StoredColumn(Named):
    """The value as `sql` gives it in a query over `runs`.

    `decode` makes a value of what that query returns; None if it is the value already. `number`
    gives a numeric column as a float. `evaluation_id` is set if it is the accuracy of that
    evaluation. `memberships` is set if a run may have several values: rows of run_id and value, a
    run without any having none. `in_rows` is whether run rows have it without being asked to, and
    `reported` whether trainers reported it under this name.
    """

    sql: ColumnElement[Any]
    decode: Callable[[Any], Any] | None = None
    number: ColumnElement[float] | None = None
    evaluation_id: str | None = None
    memberships: FromClause | None = None
    in_rows: bool = True
    reported: bool = False

    def value(self, stored: Any) -> Any:
        """The value that a query gave as `stored`."""
        return stored if self.decode is None else self.decode(stored)


class StoredColumns(NamedColumns[StoredColumn]):
    """The columns that the runs of a selection have."""

    def __init__(self, connection: Connection, selection: Selection) -> None:
        self._connection = connection
        self._selection = selection
        self._found: dict[str, StoredColumn | None] = {}
        self.evaluations = [evaluation.name for evaluation in selection.evaluations]
        self._ids = {e.name: e.evaluation_id for e in selection.evaluations}

    @cached_property
    def metrics(self) -> list[str]:
        """The names that trainers reported numbers under."""
        query = select(metrics.c.name).where(*self._selection.holds(metrics.c.run_id)).distinct()
        return list(self._connection.execute(query.order_by(metrics.c.name)).scalars())

    @override
    def look_up(self, name: str) -> StoredColumn | None:
        if name not in self._found:
            self._found[name] = self._search(name)
        return self._found[name]

    @override
    def configs(self) -> Iterable[Mapping[str, Any]]:
        query = select(runs.c.config).where(*self._selection.holds(runs.c.run_id))
        return self._connection.execute(
            query.order_by(runs.c.run_id), execution_options={"yield_per": 1000}
        ).scalars()

    @override
    def metric(self, name: str) -> StoredColumn:
        column = super().metric(name)
        if isinstance(column.metric, RunColumn) and column.measured:
            # Every run of a network may have it; of others that are done it is known who has.
            found = measured(self._connection, self._selection.holds(runs.c.run_id))
            if found.done and not found.networks and self._is_null(column):
                raise UnknownColumnError(name, found.names, purpose="metric")
        return column

    def _is_null(self, column: StoredColumn) -> bool:
        """Whether no run has a value."""
        query = select(literal(1)).where(column.sql.is_not(None)).limit(1)
        held = query.where(*self._selection.holds(runs.c.run_id))
        return self._connection.scalar(held) is None

    def stored_values(self, column: StoredColumn) -> list[Any]:
        """The different values of the column, as stored."""
        of_runs = runs if column.memberships is None else column.memberships
        query = select(column.sql).select_from(of_runs)
        query = query.where(*self._selection.holds(of_runs.c.run_id))
        return list(self._connection.execute(query.distinct()).scalars())

    def _search(self, name: str) -> StoredColumn | None:
        if name == TAG.name:
            tags = memberships(name)
            return StoredColumn(name, "text", False, TAG, tags.c.value, _or_none, memberships=tags)
        if name in NAMED_KEYS:
            return self._of_key(name)
        if name in self._ids:
            return _of_evaluation(name, self._ids[name])
        if name in self.metrics or self._is_reported_so_far(name):
            return self._of_metric(name)
        if name in OF_RUN:
            return self._of_key(name, in_rows=False)
        if (evaluation := evaluation_of(name)) in self._ids:
            return _further(name, _measured(evaluations.c.loss, self._ids[evaluation]))
        path = name.split(".")
        found = None
        if len(path) <= DEEPEST_PATH and all(map(can_be_named, path)):
            found = self._of_path(name, path)
        return self._of_probe(name) if found is None else found

    @override
    def further_numbers(self) -> list[str]:
        found = select(probes.c.probe, probes.c.quantity, probes.c.layer).distinct()
        known = self._connection.execute(found.where(*self._selection.holds(probes.c.run_id)))
        losses = map(loss_of, self.evaluations)
        return [*OF_RUN, *losses, *listed(Probed(*row) for row in known)]

    def _of_key(self, name: str, *, in_rows: bool = True) -> StoredColumn:
        known = COLUMN[name]
        kind, measured = kind_of_key(known), known.measured
        if name == "sweep":
            sweeps = self._selection.memberships()
            return StoredColumn(
                name, kind, measured, known, sweeps.c.name, _or_none, memberships=sweeps
            )
        if name == "scheme":
            sql = scheme_column(self._connection.dialect.name)
            return StoredColumn(name, kind, measured, known, sql, scheme_of)
        stored = runs.c[known.stored]
        if kind == "list":
            return StoredColumn(name, kind, measured, known, cast(stored, Text), _from_json)
        number = _in_bounds(stored) if kind == "number" else None
        return StoredColumn(name, kind, measured, known, stored, number=number, in_rows=in_rows)

    def _is_reported_so_far(self, name: str) -> bool:
        """Whether a run that is not done has reported a metric of this name."""
        if why_no_metric(name) is not None:
            return False
        of_run = select(literal(1)).where(
            epoch_metrics.c.run_id == runs.c.run_id, epoch_metrics.c.name == name
        )
        unfinished = (runs.c.state != "done", runs.c.attempt > 0)
        query = select(literal(1)).select_from(runs).where(*unfinished, of_run.exists())
        held = query.where(*self._selection.holds(runs.c.run_id)).limit(1)
        return self._connection.scalar(held) is not None

    def _of_metric(self, name: str) -> StoredColumn:
        defined = select(*(metrics.c[key] for key in DEFINED)).where(
            metrics.c.name == name, *self._selection.holds(metrics.c.run_id)
        )
        said = rows_as_dicts(self._connection.execute(defined.distinct()))
        value = (
            select(metrics.c.value)
            .where(metrics.c.run_id == runs.c.run_id, metrics.c.name == name)
            .correlate(runs)
            .scalar_subquery()
        )
        number = _in_bounds(value)
        return StoredColumn(
            name,
            "number",
            True,
            metric_of_trainer(name, said),
            value,
            number=number,
            reported=True,
        )

    def _of_probe(self, name: str) -> StoredColumn | None:
        wanted = probed(name)
        if wanted is None:
            return None
        these = [probes.c[key] == value for key, value in wanted._asdict().items()]
        some = select(literal(1)).where(*these, *self._selection.holds(probes.c.run_id)).limit(1)
        if self._connection.scalar(some) is None:
            return None
        last = (
            select(probes.c.value)
            .where(probes.c.run_id == runs.c.run_id, *these)
            .order_by(probes.c.epoch.desc())
            .limit(1)
            .correlate(runs)
            .scalar_subquery()
        )
        return _further(name, last)

    def _of_path(self, name: str, path: Sequence[str]) -> StoredColumn | None:
        dialect = self._connection.dialect.name
        sql = config_text(dialect, path)
        metric = metric_of_config(name)
        column = StoredColumn(name, "mixed", False, metric, sql, _from_config)
        texts = [text for text in self.stored_values(column) if not _is_missing(text)]
        if not texts and name not in CONFIG_OPTIONS:
            return None
        kind = kind_of_path(name, map(_from_config, texts))
        # Only a number is cast: a run may have an object at this path.
        number = case((json_type(dialect, path).in_(NUMBER_TYPES), _in_bounds(sql)))
        return StoredColumn(name, kind, False, metric, sql, _from_config, number)


def _of_evaluation(name: str, evaluation_id: str) -> StoredColumn:
    accuracy = _measured(evaluations.c.accuracy, evaluation_id)
    metric = metric_of_evaluation(name)
    return StoredColumn(
        name, "number", True, metric, accuracy, number=accuracy, evaluation_id=evaluation_id
    )


def _measured(value: Column[float], evaluation_id: str) -> ColumnElement[float]:
    """What the evaluation measured of a run."""
    return (
        select(value)
        .where(evaluations.c.run_id == runs.c.run_id, evaluations.c.evaluation_id == evaluation_id)
        .correlate(runs)
        .scalar_subquery()
    )


def _further(name: str, value: ColumnElement[float]) -> StoredColumn:
    number = _in_bounds(value)
    return StoredColumn(name, "number", True, metric_of(name), value, number=number, in_rows=False)


def _or_none(value: str | None) -> str:
    """As a run's `sweep` has it: empty if it is in none; so it is with its tags."""
    return value or ""


def _in_bounds(number: ColumnElement[Any]) -> ColumnElement[float]:
    """The number as a float; null out of all bounds, where a sum or a square of it may fail."""
    low, high = NUMBER
    if isinstance(number.type, Float | Integer):
        return case((number.between(low, high), cast(number, Float)))
    # All three as numeric, since a whole number of a config may be beyond every float.
    exact, least, most = (
        cast(n, Numeric) for n in (number, literal(f"{low:g}"), literal(f"{high:g}"))
    )
    return case((exact.between(least, most), cast(number, Float)))


def _from_json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _from_config(text: str | None) -> Any:
    value = _from_json(text)
    return None if isinstance(value, dict) else value


def _is_missing(text: str | None) -> bool:
    return text is None or text.lstrip().startswith("{")
