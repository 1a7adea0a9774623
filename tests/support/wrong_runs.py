"""Sweeps of wrong trainers, and what has to become of their runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from results.queries.queries import Queries
from sweeper.home import Home
from wrong_trainers import DEADLY, SURVIVED

SPEC = """
name: wrong
trainer: wrong_trainers:train
grid: {{options.kind: {kinds}}}
faults: {{worker_lost: {{attempts: 2}}, out_of_memory: {{attempts: 1}}}}
"""


def write_spec(folder: Path, kinds: list[str]) -> Path:
    """Of one run of each kind."""
    spec = folder / "s.yaml"
    spec.write_text(SPEC.format(kinds=json.dumps(kinds)))
    return spec


def with_right_ones(kinds: list[str]) -> list[str]:
    """The kinds, and a right run before each fourth of them, and at the end."""
    mixed = []
    for number, kind in enumerate(kinds):
        if number % 4 == 0:
            mixed.append(f"right{number}")
        mixed.append(kind)
    return [*mixed, f"right{len(kinds)}"]


def details(home: Path) -> dict[str, dict[str, Any]]:
    """All that is stored of each run, by its kind."""
    with Queries.open(Home.at(home).database) as queries:
        found = [queries.run_detail(row["run_id"]) for row in queries.run_rows()]
    return {run["config"]["options"]["kind"]: run for run in found}


def values(run: dict[str, Any]) -> dict[str, float | None]:
    return {metric["name"]: metric["value"] for metric in run["metrics"]}


def check(home: Path, kinds: list[str]) -> None:
    """Each run has ended as its kind says."""
    found = details(home)
    problems: list[tuple[Any, ...]] = []
    for kind, run in found.items():
        said = {**SURVIVED, **DEADLY}.get(kind, (None, None))[1]
        if kind.startswith("right"):
            number = float(kind.removeprefix("right"))
            expected = {"number": number, "found_changed": 0.0, "loss": 1 / (number + 1)}
            if run["state"] != "done" or values(run) != expected:
                problems.append((kind, run["state"], run["error"], values(run)))
        elif said is None:
            if run["state"] != "done" or values(run).get("score") != 1.0:
                problems.append((kind, run["state"], run["error"], values(run)))
        elif run["state"] != "failed" or not re.search(said, run["error"]):
            problems.append((kind, run["state"], run["error"]))
        elif len(run["error"]) > 2_200 or run["metrics"]:
            problems.append((kind, len(run["error"]), run["metrics"]))
    assert problems == [], problems
