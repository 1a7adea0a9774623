"""Fixtures for tests of every package, and the markers that say what a test needs.

A marker is set where a test says anyway what it needs: a fixture that starts Ray or a Postgres
server has that word in its name, a parameter is "ray" or "postgres", a fault is in tests/faults,
and what types whole commands is in the folders named below.
Only a test whose own body starts Ray is marked by hand.
"""

from __future__ import annotations

import fcntl
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
SUPPORT = TESTS / "support"

WITHOUT = {
    "ray": ("RAY_TMPDIR", "/dev/null/test-without-the-marker-ray"),
    "postgres": (
        "SWEEP_TEST_POSTGRES_URL",
        "postgresql+psycopg://test-without-the-marker-postgres/",
    ),
}
"""The variable that keeps a test from starting what it is not marked with."""

MEMORY = Path("/dev/shm")


def pytest_configure() -> None:
    """Temporary folders are in memory where there is room, since fsync takes long on a disk.

    Tests end processes and never a machine, so what was written is there afterwards on either.
    """
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK):
        there = os.statvfs(MEMORY)
        if there.f_bavail * there.f_frsize > 4 * 2**30 and not there.f_flag & os.ST_NOEXEC:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


_MARKERS_OF_FOLDERS = {
    "faults": "faults",
    "end_to_end": "commands",
    "installed": "commands",
    "plugins": "commands",
}

_MARKERS_OF_LONG_TESTS = {"ray", "compile", "faults", "slow"}

# What was green once stays green until something changes. HYPOTHESIS_PROFILE=search looks for
# examples that no run before has seen. No test fails because the machine is busy.
_PATIENT: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same examples", derandomize=True, **_PATIENT)
settings.register_profile("search", print_blob=True, **_PATIENT)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same examples"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        words = set(_words(item))
        for marker in ("ray", "postgres"):
            if marker in words:
                item.add_marker(marker)
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in _MARKERS_OF_FOLDERS:
            item.add_marker(_MARKERS_OF_FOLDERS[folder])
    # Files that take long come first, so that no process ends long after the others.
    long = {
        item.path
        for item in items
        if _MARKERS_OF_LONG_TESTS & {m.name for m in item.iter_markers()}
    }
    items.sort(key=lambda item: item.path not in long)


def pytest_collection_finish() -> None:
    # Modules and tests stay to the end, so that no garbage collection need look at them.
    gc.collect()
    gc.freeze()


def _words(item: pytest.Item) -> Iterator[str]:
    """Of its fixtures' names, and its parameters."""
    for fixture in getattr(item, "fixturenames", ()):
        yield from fixture.split("_")
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        yield from (value for value in item.callspec.params.values() if isinstance(value, str))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Fails a test that starts Ray or a Postgres server and is not marked with it."""
    with pytest.MonkeyPatch.context() as patch:
        for marker, (variable, value) in WITHOUT.items():
            if not item.get_closest_marker(marker):
                patch.setenv(variable, value)
        return (yield)


@pytest.fixture(autouse=True, scope="session")
def _fake_trainers_can_be_imported() -> None:
    """Here and in every process that a test starts."""
    sys.path.insert(0, str(SUPPORT))
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(SUPPORT), inherited)))


@pytest.fixture(autouse=True, scope="session")
def _statements_are_compiled_once(_fake_trainers_can_be_imported: None) -> None:
    import compiled_statements

    compiled_statements.share()


@pytest.fixture(autouse=True, scope="session")
def _networks_are_counted_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """By all tests and the processes that they start, whatever their homes."""
    folder = _shared_by_all_processes(tmp_path_factory)
    os.environ["SWEEP_NETWORKS"] = str(folder / "networks.json")


def _shared_by_all_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SWEEP_HOME", "SWEEP_DB", "SWEEP_STORAGE", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    if variables := sys.modules.get("sweeper.settings.variables"):
        monkeypatch.setattr(variables, "_taken", {})


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real Postgres server, which all tests of this process share."""
    import databases

    with databases.postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_tables(postgres: str) -> Iterator[Any]:
    """Schemas of that server with our tables, empty."""
    import databases

    tables = databases.PostgresTables(postgres)
    yield tables
    tables.close()


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """Where a test's database is to be, on Postgres."""
    import databases

    with databases.postgres_schema(postgres) as made:
        yield made


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The wheel in an environment of its own, made by the first process that asks for it."""
    import installed_wheel

    folder = _shared_by_all_processes(tmp_path_factory)
    with (folder / "installed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder /= "installed"
        if not (folder / "whole").exists():
            installed_wheel.install(folder)
            (folder / "whole").touch()
    return installed_wheel.Installed(folder / "environment" / "bin")
