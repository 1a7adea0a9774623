"""Rows of the runs of a selection, in its order.

Each function works inside a view of the caller, `results.queries.queries.Queries`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, null, select

from results.database.dialects import ROWS_AT_ONCE, rows_as_dicts
from results.garbage_collection import without_cycle_collection
from results.json_values import leaves
from results.metrics import DEFINED
from results.queries.columns import StoredColumns
from results.queries.config_sql import config_text
from results.queries.filters import compile_filters, names_state
from results.queries.latest import latest_values
from results.queries.memberships import memberships
from results.queries.schemes import scheme_column, scheme_of
from results.queries.selection import Selection
from results.records import RunRow
from results.run_columns import COLUMN, NAMED_KEYS, RUN_KEYS, TAG
from results.schema.tables import evaluations, metrics, runs

_STORED: dict[str, ColumnElement[Any]] = {
    key: runs.c[COLUMN[key].stored] for key in NAMED_KEYS if key not in ("sweep", "scheme")
}


@without_cycle_collection()
def list_runs(
    connection: Connection, selection: Selection, where: Sequence[str], more_keys: Sequence[str]
) -> list[RunRow]:
    """The runs that pass the filters as JSON objects: RUN_KEYS, then `more_keys`, columns of runs.

    `evaluations` of a run are those that its sweeps ask for, in their order, with accuracy None
    until measured; if the selection names no sweep, those measured for sweeps of the past follow.
    `metrics` are those that its trainer reported, by name: of a run that is not done, those that it
    has reported last, if a filter is about the state of runs. `tags` are its own and those of its
    sweeps.
    Raises UnknownColumnError and BadFilterError.
    """
    passing = passing_runs(connection, selection, where)
    found_below = {"sweep": null(), "evaluations": null(), "metrics": null(), "tags": null()}
    columns = {"scheme": scheme_column(connection.dialect.name), **_STORED, **found_below}
    columns |= {key: runs.c[key] for key in more_keys}
    keys = dict.fromkeys((*RUN_KEYS, *more_keys))
    query = select(*(columns[key].label(key) for key in keys)).where(*passing)
    stored = {row["run_id"]: row for row in rows_as_dicts(connection.execute(query))}
    known = {
        evaluation.evaluation_id: {
            "name": evaluation.name,
            "kind": evaluation.kind,
            "level": evaluation.level,
        }
        for evaluation in selection.evaluations
    }
    measured = _measured(connection, selection, passing if where else None, known)
    tags = _tags(connection, selection)
    reported = _reported(connection, selection, passing if where else None)
    if names_state(where):
        reported |= _reported_so_far(connection, passing)

    @cache
    def asked_for(sweep_ids: tuple[int, ...]) -> dict[str, None]:
        return dict.fromkeys(e for s in sweep_ids for e in selection.asked_for.get(s, ()))

    rows = []
    for run_id, sweep_ids in selection.order(connection).items():
        if run_id not in stored:
            continue
        run = stored[run_id]
        found = measured.get(run_id, {})
        ids = asked_for(tuple(sweep_ids))
        if not selection.named and not found.keys() <= ids.keys():
            ids = ids | dict.fromkeys(key for key in known if key in found)
        run["scheme"] = scheme_of(run["scheme"])
        run["sweep"] = ",".join(selection.sweeps[sweep_id] for sweep_id in sweep_ids)
        run["evaluations"] = [found.get(key) or {**known[key], **_NOT_MEASURED} for key in ids]
        run["metrics"] = reported.get(run_id, [])
        run["tags"] = tags.get(run_id, [])
        rows.append(run)
    return rows


def _reported_so_far(
    connection: Connection, passing: list[ColumnElement[bool]]
) -> dict[str, list[dict[str, Any]]]:
    """As `_reported`, of runs that are not done: nothing is known of the metrics themselves."""
    found = latest_values(connection, [*passing, runs.c.state != "done"])
    return {
        run_id: [
            {"name": name, "value": value, **dict.fromkeys(DEFINED)}
            for name, value in latest.values.items()
            if name not in COLUMN
        ]
        for run_id, latest in found.items()
    }


def _tags(connection: Connection, selection: Selection) -> dict[str, list[str]]:
    """The tags of each run that has any, sorted."""
    found = memberships(TAG.name)
    query = select(found.c.run_id, found.c.value).where(*selection.holds(found.c.run_id))
    by_run: dict[str, list[str]] = defaultdict(list)
    for run_id, tag in connection.execute(query):
        by_run[run_id].append(tag)
    return {run_id: sorted(tags) for run_id, tags in by_run.items()}


def list_options(
    connection: Connection, selection: Selection, where: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The options of the runs that pass the filters and have any, by run id and by path.

    Such as {"0123456789abcdef": {"options.alpha": 0.1, "options.net.depth": 2}}.
    """
    options = config_text(connection.dialect.name, ["options"])
    query = select(runs.c.run_id, options).where(
        *passing_runs(connection, selection, where), options.is_not(None)
    )
    return {
        run_id: leaves({"options": json.loads(text)})
        for run_id, text in connection.execute(query.order_by(runs.c.run_id))
    }


def add_numbers(
    connection: Connection,
    selection: Selection,
    rows: Iterable[RunRow],
    metrics: Sequence[str],
    keys: Sequence[str],
) -> None:
    """Gives the rows `numbers`: what these names stand for and no other key of a row has.

    Raises UnknownColumnError, also for a metric that is no number.
    """
    columns = StoredColumns(connection, selection)
    named = [*map(columns.metric, metrics), *map(columns.find, keys)]
    further = {column.name: column.sql for column in named if not column.in_rows}
    found: dict[str, dict[str, Any]] = {}
    if further:
        query = select(runs.c.run_id, *further.values()).where(*selection.holds(runs.c.run_id))
        for run_id, *values in connection.execute(query):
            found[run_id] = dict(zip(further, values, strict=True))
    for row in rows:
        row["numbers"] = found.get(row["run_id"], dict.fromkeys(further))


def passing_runs(
    connection: Connection, selection: Selection, where: Sequence[str]
) -> list[ColumnElement[bool]]:
    """The conditions under which a row of `runs` passes the filters, within the selection."""
    columns = StoredColumns(connection, selection)
    filters = compile_filters(connection.dialect.name, columns, where)
    return [*selection.holds(runs.c.run_id), *filters]


_NOT_MEASURED = {"accuracy": None, "imported": False}


def _measured(
    connection: Connection,
    selection: Selection,
    passing: list[ColumnElement[bool]] | None,
    known: Mapping[str, dict[str, Any]],
) -> dict[str, dict[str, dict[str, Any]]]:
    """What was measured by evaluations of `known`, by run id and evaluation id.

    Of all runs of the selection if `passing` is None.
    """
    query = select(
        evaluations.c.run_id,
        evaluations.c.evaluation_id,
        evaluations.c.accuracy,
        evaluations.c.import_id,
    )
    if passing is None:
        query = query.where(*selection.holds(evaluations.c.run_id))
    else:
        query = query.join(runs, runs.c.run_id == evaluations.c.run_id).where(*passing)
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for part in connection.execute(query).partitions(ROWS_AT_ONCE):
        for run_id, evaluation_id, accuracy, import_id in part:
            if evaluation_id in known:
                found[run_id][evaluation_id] = {
                    **known[evaluation_id],
                    "accuracy": accuracy,
                    "imported": import_id is not None,
                }
    return found


def _reported(
    connection: Connection, selection: Selection, passing: list[ColumnElement[bool]] | None
) -> dict[str, list[dict[str, Any]]]:
    """What trainers reported, by run id. Of all runs of the selection if `passing` is None."""
    query = select(metrics)
    if passing is None:
        query = query.where(*selection.holds(metrics.c.run_id))
    else:
        query = query.join(runs, runs.c.run_id == metrics.c.run_id).where(*passing)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_as_dicts(connection.execute(query.order_by(metrics.c.run_id, metrics.c.name))):
        found[row.pop("run_id")].append(row)
    return found
