"""Which run comes next."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from results.records import PendingRun
from sweeper.scheduling.backlog import Backlog

SECONDS = {"short": 1.0, "long": 9.0, "longer": 10.0}


def pending(run_id: str, **faults: int) -> PendingRun:
    values: dict[str, Any] = dict.fromkeys((field.name for field in fields(PendingRun)), None)
    return PendingRun(**values | {"run_id": run_id, "state": "queued", "faults": faults})


def order(*runs: PendingRun) -> list[str]:
    backlog = Backlog(lambda run: SECONDS[run.run_id])
    backlog.add(runs)
    return [run.run_id for run in backlog]


def test_the_longest_comes_first() -> None:
    assert order(pending("short"), pending("longer"), pending("long")) == [
        "longer",
        "long",
        "short",
    ]


def test_a_run_during_which_drivers_have_ended_twice_comes_last() -> None:
    once = pending("longer", driver_lost=1, stopped=3)
    assert order(pending("short"), once, pending("long")) == ["longer", "long", "short"]
    twice = pending("longer", driver_lost=2)
    assert order(pending("short"), twice, pending("long")) == ["long", "short", "longer"]
