"""Where the numbers are from: runs behind groups, and the machines that runs were trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from results.analysis.pivot import Pivot
from results.analysis.reports import Report
from results.analysis.sort_keys import SortKey, sort_key
from results.html_report.content import Attempt
from results.provenance import OF_ONE_ATTEMPT, fact_text
from results.queries.row_columns import Columns
from results.records import RunRow

_NOT_SHOWN = OF_ONE_ATTEMPT | {"command", "sources"}


@dataclass(frozen=True, slots=True)
class Environment:
    """What several attempts have in common: host, device, versions, git commit."""

    number: int
    facts: Mapping[str, Any]
    attempts: tuple[Attempt, ...]


def environments(attempts: Sequence[Attempt]) -> list[Environment]:
    """The attempts by environment, numbered from 1 in the order of their first attempts."""
    found: dict[SortKey, tuple[dict[str, Any], list[Attempt]]] = {}
    for attempt in sorted(attempts, key=lambda a: (a.started_at, a.run_id, a.attempt)):
        facts = {
            name: fact_text(value) if isinstance(value, dict | list) else value
            for name, value in attempt.provenance.items()
            if value not in (None, [], {}) and name not in _NOT_SHOWN
        }
        if attempt.imported_from is not None:
            facts = {"imported_from": attempt.imported_from, **facts}
        key = sort_key(sorted([name, str(value)] for name, value in facts.items()))
        found.setdefault(key, (facts, []))[1].append(attempt)
    return [
        Environment(number, facts, tuple(members))
        for number, (facts, members) in enumerate(found.values(), start=1)
    ]


def runs_of_groups(
    data: Report | Pivot, runs: Sequence[RunRow]
) -> list[tuple[dict[str, Any], list[str]]]:
    """Each group's keys with the ids of the done runs in it, in the order of the groups.

    Raises ValueError if `runs` are not those that the report was made from.
    """
    keys = data.group_by if isinstance(data, Report) else (*data.rows, *data.columns)
    known = Columns(runs)
    columns = [known.find(key) for key in keys]
    members: dict[tuple[SortKey, ...], list[str]] = {}
    for run in runs:
        if run["state"] == "done":
            for values in product(*(column.values(run) for column in columns)):
                members.setdefault(tuple(map(sort_key, values)), []).append(run["run_id"])
    found = []
    for group in data.groups:
        ids = members.get(tuple(sort_key(group[key]) for key in keys), [])
        if len(ids) != group["runs"]:
            raise ValueError(
                f"a group of {group['runs']} runs has {len(ids)} among the runs given for it"
            )
        found.append(({key: group[key] for key in keys}, ids))
    return found
