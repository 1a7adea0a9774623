"""What runs that are not done have reported so far, run by run."""

from __future__ import annotations

from collections.abc import Sequence

from results.queries.latest import Latest
from results.queries.queries import Queries
from results.queries.row_columns import Columns
from results.records import Row

NOTE = "none of these runs is done: the last values that each reported"


def values_so_far(
    queries: Queries,
    sweeps: Sequence[str],
    keys: Sequence[str],
    metrics: Sequence[str] | None,
    where: Sequence[str],
) -> list[Row]:
    """One row a run that is not done: `run_id`, `keys`, `seed`, `state`, `epoch` and its metrics.

    `metrics` are those that are wanted; all that were reported if none is named. Empty if none of
    these runs has reported anything. Raises as `Queries.run_rows`.
    """
    with queries.one_view():
        rows = queries.run_rows(sweeps, where=where, config=True, keys=keys)
        latest = queries.latest(sweeps, where=where)
    if not latest:
        return []
    columns = Columns(rows)
    of_run = [columns.find(key) for key in dict.fromkeys([*keys, "seed"])]
    reported = sorted({name for found in latest.values() for name in found.values})
    names = reported if metrics is None else list(dict.fromkeys(metrics))
    found = []
    for row in rows:
        if row["state"] == "done":
            continue
        last = latest.get(row["run_id"], Latest())
        found.append(
            {
                "run_id": row["run_id"],
                **{column.name: column.read(row) for column in of_run},
                "state": row["state"],
                "epoch": last.epoch,
                **{name: last.values.get(name) for name in names},
            }
        )
    return found
