"""Why a key makes no two groups, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from results.analysis.replicates import identity
from results.errors import NotTwoGroupsError
from results.metrics import counted, shown, written
from results.queries.row_columns import Column, Columns
from results.records import RunRow
from sweep_plugins import path_to

_LISTED = 6
_SUGGESTED = 3
_RUN_KEYS = ("zero_stable", "scheme", "model", "depth", "dataset")


def not_two_groups(
    column: Column, found: Sequence[tuple[Any, int]], columns: Columns, done: Sequence[RunRow]
) -> NotTwoGroupsError:
    """The error that says so.

    Args:
        found: the values of the column in order, with the number of runs that have each.
        columns: of all runs.
        done: the runs among which there have to be two groups.
    """
    by = column.name
    listed = ", ".join(f"{written(by, v)} ({counted(n, 'run')})" for v, n in found[:_LISTED])
    others = list(islice(_keys_with_two_values(columns, done), _SUGGESTED))
    another = f"test a key that has two values, such as {' or '.join(others)}"
    if not others:
        another = "test another key"
    if not found:
        meant = path_to(by, columns.set_paths())
        return NotTwoGroupsError(
            f"{by} has no value", another if meant is None else f"did you mean {meant!r}?"
        )
    if len(found) == 1:
        return NotTwoGroupsError(
            f"{by} has one value: {listed}", f"name more sweeps, drop a --where, or {another}"
        )
    values = [value for value, _ in found]
    if len(found) <= _LISTED:
        problem = f"{by} has {len(found)} values: {listed}"
    elif column.kind == "number":
        ends = " to ".join(str(shown(value, column.metric)) for value in (values[0], values[-1]))
        problem = f"{by} has {len(found)} values, from {ends}"
    else:
        problem = f"{by} has {len(found)} values: {listed}, and {len(found) - _LISTED} more"
    if column.measured:
        return NotTwoGroupsError(problem, another)
    two = f"{by}<={written(by, values[1])}"
    if column.kind != "number":
        two = f"{by}!={written(by, values[-1])}"
    return NotTwoGroupsError(
        problem, f"leave out all but two with --where, such as --where {two!r}, or {another}"
    )


def _keys_with_two_values(columns: Columns, done: Sequence[RunRow]) -> Iterator[str]:
    for name in (*_RUN_KEYS, *columns.set_paths()):
        read = columns.find(name).read
        if len({identity(value) for value in map(read, done) if value is not None}) == 2:
            yield name
