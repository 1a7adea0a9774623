"""Checking what a run reports while it trains, before anything of it is written.

It comes from another process, as a result does, and has the same names, numbers and bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from results.errors import BadResultError
from results.store.result_schema import EPOCH_NUMBERS, check_epochs

_OF_EPOCH = tuple(column.name for column in EPOCH_NUMBERS)


@dataclass(frozen=True, slots=True)
class CheckedReport:
    """A part of what an attempt reported, as rows.

    `first` is the epoch from which on the attempt replaces what earlier ones reported; `begins`:
    they are still to be removed.
    """

    run_id: str
    attempt: int
    first: int
    rows: dict[Table, list[dict[str, Any]]]
    begins: bool = True

    @property
    def size(self) -> int:
        """How many rows it has."""
        return sum(map(len, self.rows.values()))


def check_report(report: Any) -> CheckedReport:
    """What an executor gave: `run_id`, `attempt`, `first`, and `epochs`, each with its `values`.

    A name that every run has goes where a result has it, and the others to metrics by name. Raises
    BadResultError.
    """
    run_id = report.get("run_id") if isinstance(report, dict) else None
    if not isinstance(run_id, str):
        raise BadResultError("?", "it does not say of which run it is")
    attempt, first = (_whole(run_id, report, key) for key in ("attempt", "first"))
    told = report.get("epochs")
    of_run: list[dict[str, Any]] = []
    by_name: list[dict[str, Any]] = []
    for item in told if isinstance(told, list) else ():
        values = item.get("values") if isinstance(item, dict) else None
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
            raise BadResultError(run_id, "what it reported is no object of values by name")
        typed = {name: values[name] for name in _OF_EPOCH if name in values}
        others = {name: value for name, value in values.items() if name not in typed}
        epoch = {"epoch": item.get("epoch")}
        if typed:
            of_run.append({**epoch, **dict.fromkeys(_OF_EPOCH), **typed})
        if others:
            by_name.append({**epoch, "values": others})
    return CheckedReport(run_id, attempt, first, check_epochs(run_id, of_run, by_name))


def _whole(run_id: str, report: dict[Any, Any], key: str) -> int:
    value = report.get(key)
    if type(value) is not int or not 0 <= value < 2**63:
        raise BadResultError(run_id, f"{key} of what it reported is no whole number from 0")
    return value
