"""Mean and spread of metrics over groups of runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results.analysis.code_versions import codes_of_groups, versions
from results.analysis.group_statistics import (
    Keys,
    all_runs,
    read_groups,
    summary_of,
)
from results.analysis.sort_keys import sort_key
from results.analysis.unfinished import unfinished_by_state
from results.errors import ResultsError
from results.metrics import Metric
from results.queries.columns import StoredColumn, StoredColumns
from results.queries.default_metrics import measured_by_default
from results.queries.filters import compile_filters
from results.queries.queries import Queries
from results.queries.selection import Selection

_COUNTS = ("runs", "unfinished", "measured_elsewhere")
"""What every group has; another count gives way to a key of its name."""

_OF_SINGLE_RUNS = ("run_id", "state")
"""Keys by which also groups are listed that have no done run."""

STATISTICS = ("mean", "std", "min", "max")


def columns_of(metric: str) -> list[str]:
    """The names under which a group has the metric's statistics."""
    return [f"{metric}_{name}" for name in STATISTICS]


@dataclass(frozen=True, slots=True)
class Report:
    """Groups of runs with statistics of their metrics.

    A group has the keys of `group_by`, then `runs` (done), `diverged`, `unfinished`, `imported` and
    `measured_elsewhere` (counts; one that is a key already is left out), then `<metric>_mean`,
    `_std` (n - 1, None for one run), `_min` and `_max` for every metric. Where trainers reported
    one of the metrics, `not_finite` follows the counts: runs that have a number that is not finite
    for it, which stays out of its statistics. Where a group has runs by several versions of the
    code of one trainer or plug-in, `code_versions` says for each how many there are. `described`
    says what is known of the numbers of each key and metric, by its name.

    `runs` are the done runs in all groups, each counted once: grouped by sweep, a run is in the
    group of each of its sweeps. `unfinished` are the runs of the selection that are not done, and
    `states` counts them by state: while there are any, the report is a partial one. A group that
    has no other runs is listed in a report by run_id or by state alone. `code_versions` has the
    greatest number of versions in one group, where there are several, by the key which tells them
    apart, such as "source". `imported` of the done runs were not trained here, and
    `measured_elsewhere` others have measurements that an archive brought.
    """

    group_by: tuple[str, ...]
    metrics: tuple[str, ...]
    described: Mapping[str, Metric]
    groups: list[dict[str, Any]]
    runs: int
    unfinished: int
    imported: int = 0
    measured_elsewhere: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    code_versions: Mapping[str, int] = field(default_factory=dict)


def report(
    queries: Queries,
    sweeps: Sequence[str],
    group_by: Sequence[str],
    metrics: Sequence[str] | None = None,
    where: Sequence[str] = (),
) -> Report:
    """Statistics over the done runs of these sweeps, or of the whole database, by groups.

    `group_by` are run keys or dotted config paths; without any, all runs form one group.
    `metrics` are numeric run keys, config paths, names of evaluations or of what trainers reported;
    by default those of which a run that passes the filters has a value (`default_metrics`): of
    networks test accuracies, the gap, and every evaluation that the sweeps ask for, or that the
    database knows; of other trainers what they reported, losses too. Values that are null stay out
    of the statistics. `where` are filters, which `results.queries.filters` describes.

    A filter on a measured value cannot rule out a run that has not been measured, so such runs
    count as unfinished. Groups are sorted by their keys: false before true, numbers by size,
    lists by their items, null last. Raises UnknownSweepError, UnknownColumnError, BadFilterError,
    and ResultsError for a key with the name of something else in a group.
    """
    with queries.view() as connection:
        selection = Selection(connection, sweeps)
        columns = StoredColumns(connection, selection)
        filters = compile_filters(connection.dialect.name, columns, where, unfinished_pass=True)
        keys = [columns.find(name) for name in dict.fromkeys(group_by)]
        if metrics is None:
            found_values = measured_by_default(connection, selection, filters)
            metrics = found_values.by_default(columns.evaluations)
        measures = [columns.metric(name) for name in dict.fromkeys(metrics)]
        _check_names(keys, measures)
        found = read_groups(connection, selection, filters, keys, measures)
        several = any(key.memberships is not None for key in keys)
        everything = (
            [all_runs(connection, selection, filters, measures)] if several else found.values()
        )
        unfinished = sum(group.unfinished for group in everything)
        states = unfinished_by_state(connection, selection, filters) if unfinished else {}
        codes = codes_of_groups(connection, selection, filters, keys)
    groups = []
    mixed: list[dict[str, int]] = []
    lists_all = any(key.name in _OF_SINGLE_RUNS for key in keys)
    for stored in _same_values(found, keys):
        parts = [found[part] for part in stored]
        done = sum(part.done for part in parts)
        if not done and not lists_all:
            continue
        entry = {c.name: c.value(part) for c, part in zip(keys, stored[0], strict=True)}
        entry["runs"] = done
        entry.setdefault("diverged", sum(part.diverged for part in parts))
        entry["unfinished"] = sum(part.unfinished for part in parts)
        entry.setdefault("imported", sum(part.imported for part in parts))
        entry["measured_elsewhere"] = sum(part.measured_elsewhere for part in parts)
        if any(column.reported for column in measures):
            entry.setdefault("not_finite", sum(part.not_finite for part in parts))
        for column in measures:
            name = column.name
            samples = [part.moments[name] for part in parts if name in part.moments]
            summary = summary_of(samples)
            values = (getattr(summary, statistic) for statistic in STATISTICS)
            entry |= zip(columns_of(name), values, strict=True)
        groups.append(entry)
        mixed.append(versions(code for part in stored for code in codes.get(part, ())))
    if any(mixed):
        for entry, of_group in zip(groups, mixed, strict=True):
            entry.setdefault("code_versions", max(of_group.values(), default=1))
    return Report(
        group_by=tuple(column.name for column in keys),
        metrics=tuple(column.name for column in measures),
        described={column.name: column.metric for column in (*keys, *measures)},
        groups=groups,
        runs=sum(group.done for group in everything),
        unfinished=unfinished,
        imported=sum(group.imported for group in everything),
        measured_elsewhere=sum(group.measured_elsewhere for group in everything),
        states=states,
        code_versions={
            key: max(of_group.get(key, 0) for of_group in mixed)
            for key in sorted({key for of_group in mixed for key in of_group}, reverse=True)
        },
    )


def _check_names(keys: Sequence[StoredColumn], measures: Sequence[StoredColumn]) -> None:
    """Raises ResultsError where a group would have two values of one name."""
    taken = {*_COUNTS, *(name for column in measures for name in columns_of(column.name))}
    for key in keys:
        if key.name in taken:
            raise ResultsError(
                f"no report can be grouped by {key.name!r}: it has something else of this name;"
                " group by another key, or name other metrics"
            )


def _same_values(groups: Iterable[Keys], columns: Sequence[StoredColumn]) -> list[list[Keys]]:
    """The groups in order, those together whose keys are equal values, as 1 and 1.0 are."""
    same: dict[tuple[Any, ...], list[Keys]] = {}
    for stored in sorted(groups, key=lambda group: tuple(map(str, group))):
        values = (c.value(part) for c, part in zip(columns, stored, strict=True))
        same.setdefault(tuple(map(sort_key, values)), []).append(stored)
    return [same[values] for values in sorted(same)]
