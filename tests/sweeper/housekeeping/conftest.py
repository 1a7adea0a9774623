"""Homes with two sweeps, made once: each test has a copy, at the same path."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from file_server import SCHEME
from laboratories import CHECKPOINT, WEIGHTS, Lab

Made = tuple[Lab, Path]
"""A laboratory, and a copy of its folder as it was at first."""


def _kept(lab: Lab) -> Made:
    first = lab.folder.with_name(f"{lab.folder.name}-at-first")
    shutil.copytree(lab.folder, first)
    return lab, first


def _again(made: Made) -> Lab:
    lab, first = made
    shutil.rmtree(lab.folder)
    # Databases and storages are known by their paths.
    shutil.copytree(first, lab.folder)
    return lab


@pytest.fixture(scope="session")
def made_at_home(tmp_path_factory: pytest.TempPathFactory) -> Made:
    lab = Lab(tmp_path_factory.mktemp("housekeeping"))
    lab.run("a", [0, 1])
    lab.run("b", [1, 2])
    for seed in (0, 1, 2):
        lab.put(seed, 1, *WEIGHTS, *CHECKPOINT)
    return _kept(lab)


@pytest.fixture
def lab(made_at_home: Made) -> Lab:
    """Sweep "a" holds the seeds 0 and 1, "b" 1 and 2; all are done, and all have checkpoints."""
    return _again(made_at_home)


@pytest.fixture(scope="session")
def made_in_two_storages(tmp_path_factory: pytest.TempPathFactory) -> Made:
    lab = Lab(tmp_path_factory.mktemp("spread"))
    lab.run("a", [0, 1])
    lab.run("b", [1, 2], "--storage", f"{SCHEME}://{lab.remote}")
    for seed, runs in ((0, lab.runs), (1, lab.runs), (2, lab.remote)):
        lab.put(seed, 1, *WEIGHTS, *CHECKPOINT, runs=runs)
    return _kept(lab)


@pytest.fixture
def spread(made_in_two_storages: Made) -> Lab:
    """As `lab`, but seed 2 has its files in a storage of its own, a file server's."""
    return _again(made_in_two_storages)
