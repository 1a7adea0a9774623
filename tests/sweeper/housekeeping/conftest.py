"""A home with two sweeps, made once: each test has a copy of it, at the same path."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from laboratories import CHECKPOINT, WEIGHTS, Lab


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, Path]:
    """The laboratory of `lab`, and a copy of its home as it is at first."""
    lab = Lab(tmp_path_factory.mktemp("housekeeping"))
    lab.run("a", [0, 1])
    lab.run("b", [1, 2])
    for seed in (0, 1, 2):
        lab.put(seed, 1, *WEIGHTS, *CHECKPOINT)
    first = lab.folder.with_name(f"{lab.folder.name}-at-first")
    shutil.copytree(lab.folder, first)
    return lab, first


@pytest.fixture
def lab(made: tuple[Lab, Path]) -> Lab:
    """Sweep "a" holds the seeds 0 and 1, "b" 1 and 2; all are done, and all have checkpoints."""
    lab, first = made
    shutil.rmtree(lab.folder)
    # Databases and storages are known by their paths.
    shutil.copytree(first, lab.folder)
    return lab
