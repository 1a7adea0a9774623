"""Rows of what was measured of the runs of a selection, in the order of these.

Each function works inside a view of the caller, `results.queries.queries.Queries`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, select

from results.database.dialects import rows_as_dicts
from results.garbage_collection import without_cycle_collection
from results.queries.filters import results_unless_asked
from results.queries.layer_order import layer_key, quantity_key
from results.queries.rows import passing_runs
from results.queries.selection import Selection
from results.queries.thinning import one_epoch_in
from results.schema.tables import epochs, evaluations, probes, runs


@without_cycle_collection()
def list_parts(
    connection: Connection,
    selection: Selection,
    where: Sequence[str],
    then: Column[Any],
    *further: ColumnElement[bool],
    key: Callable[[dict[str, Any]], Any] | None = None,
    every: int = 1,
) -> list[dict[str, Any]]:
    """The rows of a table of results, of the runs that pass the filters, in the order of the runs.

    The table is that of the column `then`, by which the rows of a run are ordered, and after that
    by `key`. `further` are conditions on them. Of rows with an epoch those of one epoch in `every`.
    """
    passing = [*passing_runs(connection, selection, where), *further]
    if every > 1:
        passing.append(one_epoch_in(every, then.table.c.epoch, passing))
    query = select(then.table).join(runs, runs.c.run_id == then.table.c.run_id).where(*passing)
    by_run: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_as_dicts(connection.execute(query.order_by(then))):
        by_run[row["run_id"]].append(row)
    if key is not None:
        for rows in by_run.values():
            rows.sort(key=key)
    return [row for run_id in selection.order(connection) for row in by_run.get(run_id, ())]


def list_epochs(
    connection: Connection, selection: Selection, where: Sequence[str], every: int = 1
) -> list[dict[str, Any]]:
    """The epochs of the runs that pass the filters, in their order; `every` as in `list_parts`.

    Of runs that are not done only if a filter is about their state.
    """
    further = results_unless_asked(where)
    return list_parts(connection, selection, where, epochs.c.epoch, *further, every=every)


def list_probes(
    connection: Connection,
    selection: Selection,
    where: Sequence[str],
    names: Iterable[str] | None = None,
) -> list[dict[str, Any]]:
    """What probes measured of the runs that pass the filters, in the order of the runs.

    Of probes of these names, or of all. Of each run by probe and quantity, then by epoch, then
    from the input of the network on.
    """
    named = [] if names is None else [probes.c.probe.in_(sorted(names))]
    return list_parts(connection, selection, where, probes.c.epoch, *named, key=_probe_key)


def _probe_key(row: dict[str, Any]) -> tuple[Any, ...]:
    """Where a row of `probes` stands among those of its run."""
    return (row["probe"], quantity_key(row["quantity"]), row["epoch"], layer_key(row["layer"]))


def list_metrics(
    connection: Connection,
    selection: Selection,
    where: Sequence[str],
    table: Table,
    names: Iterable[str] | None = None,
    every: int = 1,
) -> list[dict[str, Any]]:
    """What `metrics` or `epoch_metrics` has of the runs that pass the filters, in their order.

    Of metrics of these names, or of all; of each run by name and epoch. `metric` is the name. Of
    runs that are not done only if a filter is about their state.
    """
    named = results_unless_asked(where)
    if names is not None:
        named.append(table.c.name.in_(sorted(names)))
    rows = list_parts(
        connection, selection, where, table.c.name, *named, key=_metric_key, every=every
    )
    return [
        {"metric" if key == "name" else key: value for key, value in row.items()} for row in rows
    ]


def _metric_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["name"], row.get("epoch", 0))


def list_evaluations(
    connection: Connection, selection: Selection, where: Sequence[str]
) -> list[dict[str, Any]]:
    """What was measured of the runs that pass the filters, in the order of the runs."""
    known = {evaluation.evaluation_id: evaluation for evaluation in selection.evaluations}
    return [
        {
            "run_id": row["run_id"],
            "evaluation_id": row["evaluation_id"],
            "evaluation": known[row["evaluation_id"]].name,
            "kind": known[row["evaluation_id"]].kind,
            "level": known[row["evaluation_id"]].level,
            "accuracy": row["accuracy"],
            "loss": row["loss"],
            "imported": row["import_id"] is not None,
        }
        for row in list_parts(connection, selection, where, evaluations.c.evaluation_id)
        if row["evaluation_id"] in known
    ]
