"""How often faults are made, where, and what becomes of the figures."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import databases
import drivers
import figures
from drivers import NewDatabase, Sweep, Undisturbed
from figures import Figure, Times
from forked_sweeps import ForkedSweeps

FULL = os.environ.get("SWEEP_FAULTS") == "full"


@pytest.fixture
def times() -> Times:
    """`times(quick, full)` is how often to do something; SWEEP_FAULTS=full chooses the second."""
    return lambda quick, full: full if FULL else quick


@pytest.fixture
def chance() -> random.Random:
    """Random points; SWEEP_FAULTS_SEED chooses others."""
    seed = int(os.environ.get("SWEEP_FAULTS_SEED", "4"))
    print(f"SWEEP_FAULTS_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def figure() -> Figure:
    """Notes what was measured."""
    return figures.note


@pytest.fixture(params=databases.KINDS)
def database(request: pytest.FixtureRequest) -> str:
    """The kind of the test's database: "sqlite", then "postgres"."""
    kind: str = request.param
    return kind


@pytest.fixture
def db(database: str, home: Path, request: pytest.FixtureRequest) -> str:
    """The URL of the test's database, once on each kind."""
    if database == "sqlite":
        return drivers.database_of(home)
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def new_database(database: str, request: pytest.FixtureRequest) -> NewDatabase:
    """Makes a database for a home, which is dropped when the `with` block ends."""
    if database == "sqlite":
        return lambda home: nullcontext(drivers.database_of(home))
    server: str = request.getfixturevalue("postgres")
    return lambda home: databases.postgres_schema(server)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Not there yet; its parent is for specs and logs."""
    return tmp_path / "home"


@pytest.fixture(scope="session")
def sweeps() -> Iterator[ForkedSweeps]:
    """Runs sweeps in forks of one process."""
    opened = ForkedSweeps()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def undisturbed(sweeps: ForkedSweeps, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The facts of an undisturbed sweep, each trained once in a session.

    In one process, and on SQLite: neither may make a difference.
    """
    known: dict[str, dict[str, dict[str, Any]]] = {}

    def facts_of(sweep: Sweep) -> dict[str, dict[str, Any]]:
        text = sweep.spec.read_text()
        if text not in known:
            home = tmp_path_factory.mktemp("undisturbed") / "home"
            db = drivers.database_of(home)
            end = sweeps.run(sweep, home, db)
            assert end.code == 0, end.output
            known[text] = drivers.facts(db)
            assert len(known[text]) == sweep.runs
        return known[text]

    return facts_of
