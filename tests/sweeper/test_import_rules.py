"""The arrows between the packages, and those inside `sweeper`, as import-linter reads them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def contracts() -> list[dict]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return settings["tool"]["importlinter"]["contracts"]


def test_the_import_contracts_are_those_of_the_design():
    layers = [contract["layers"] for contract in contracts() if contract["type"] == "layers"]
    assert ["sweeper", "trainers | results", "sweep_plugins"] in layers
    forbidden = {
        (source, module)
        for contract in contracts()
        if contract["type"] == "forbidden"
        for source in contract["source_modules"]
        for module in contract["forbidden_modules"]
    }
    assert {("results", "torch"), ("results", "ray"), ("trainers", "ray")} <= forbidden
    assert {("trainers", "sqlalchemy"), ("sweeper", "ray")} <= forbidden
    assert {("trainers.config", "torch"), ("trainers.config", "sklearn")} <= forbidden


BREACHES = {
    "trainers/extra.py": "import ray, sqlalchemy, results.records, sweeper.spec.spec",
    "results/extra.py": "import trainers.config.run\ndef late():\n    import torch",
    "sweep_plugins/extra.py": "import trainers.errors, results.errors",
    "sweeper/home.py": "import ray",
    "trainers/config/job.py": "def late():\n    import trainers.rng",
    "sweeper/planning/plan.py": "import sweeper.scheduling.scheduler",
    "sweeper/executors/worker.py": "import sweeper.executors.base",
    "sweeper/spec/spec.py": "import sweeper.planning.plan",
    "sweeper/scheduling/scheduler.py": "import sweeper.cli",
}


@pytest.fixture(scope="module")
def verdict(tmp_path_factory) -> str:
    """What is said of a copy of the packages in which forbidden imports were added."""
    folder = tmp_path_factory.mktemp("house")
    for package in ("sweeper", "trainers", "results", "sweep_plugins"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for module, lines in BREACHES.items():
        with (folder / module).open("a") as file:
            file.write(f"\n{lines}\n")
    done = lint(folder)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "arrow",
    [
        "trainers.extra -> ray",
        "trainers.extra -> sqlalchemy",
        "trainers.extra -> results.records",
        "trainers.extra -> sweeper.spec.spec",
        "results.extra -> trainers.config.run",
        "results.extra -> torch",
        "sweep_plugins.extra -> trainers.errors",
        "sweep_plugins.extra -> results.errors",
        "sweeper.home -> ray",
        "trainers.config.job -> trainers.rng",
        "sweeper.planning.plan -> sweeper.scheduling.scheduler",
        "sweeper.executors.worker -> sweeper.executors.base",
        "sweeper.spec.spec -> sweeper.planning.plan",
        "sweeper.scheduling.scheduler -> sweeper.cli",
    ],
)
def test_a_forbidden_import_is_reported(arrow, verdict):
    assert re.search(rf"{re.escape(arrow)}\b", verdict), verdict
