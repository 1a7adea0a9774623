"""Signals to real drivers: what was done is kept, and going on leads to the same bits.

Through the command line, Ray and SQLite, with the real trainer on real images. What happens to
those who are killed without a word is tested in tests/faults.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import command_line
import drivers
from drivers import Driver, Sweep

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

TO_CONTINUE = f"To continue: sweep resume {drivers.NAME}"

STOPPING = "stopping when the current epochs are done; Control-C again stops at once"


@cache
def report(home: Path) -> Any:
    """Of a sweep that is finished, so that no report follows that differs."""
    said = command_line.sweep(
        "report", drivers.NAME, "--home", str(home), "--group-by", "zero_stable,seed",
        "--format", "json",
    )  # fmt: skip
    assert said.exit_code == 0, said.stderr
    return json.loads(said.stdout)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    folder = tmp_path_factory.mktemp("spec")
    return drivers.write_spec(folder, runs=4, epochs=12, trainer=drivers.REAL)


@pytest.fixture(scope="module")
def undisturbed(sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a sweep that was never interrupted and never used Ray."""
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    with Driver(sweep.spec, home) as driver:
        driver.finish()
    return home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(params=[2])
def driver(sweep: Sweep, home: Path, request: pytest.FixtureRequest) -> Iterator[Driver]:
    """On Ray, on so many slots, with a run that is half trained."""
    with Driver(sweep.spec, home, executor="ray", slots=request.param) as started:
        started.wait_until(lambda: drivers.some_run_is_half_trained(home), seconds=300)
        yield started


def assert_stopped(driver: Driver) -> None:
    """With one line on how to go on, and no run left behind."""
    assert driver.end() == 130, driver.output()
    assert driver.output().count(TO_CONTINUE) == 1
    assert "Traceback" not in driver.output()
    states = {tries[-1]["state"] for tries in drivers.attempts(driver.db).values()}
    assert states <= {"interrupted", "done"}


def assert_goes_on(home: Path, undisturbed: Path, *, spec: Path | None) -> None:
    """As if nothing had happened; one process or two, Ray or not: the same bits."""
    db = drivers.database_of(home)
    done_before = drivers.done(db)
    with Driver(spec, home, executor="inline") as driver:
        driver.finish()
    drivers.assert_same(drivers.facts(db), drivers.facts(drivers.database_of(undisturbed)))
    drivers.assert_trained_once(db, done_before)
    assert report(home) == report(undisturbed)


def first_epochs(home: Path) -> list[int]:
    found = drivers.attempts_in_full(drivers.database_of(home)).values()
    return [tries[-1]["first_epoch"] for tries in found]


def test_control_c_stops_a_sweep_after_the_current_epochs(
    driver: Driver, home: Path, sweep: Sweep, undisturbed: Path
) -> None:
    driver.signal(signal.SIGINT)
    assert_stopped(driver)
    assert STOPPING in driver.output()
    stored = drivers.finished_epochs(home / "runs")
    assert_goes_on(home, undisturbed, spec=sweep.spec)
    # Nothing that was trained before is trained again.
    expected = [epoch + 1 for epoch in stored.values() if epoch != drivers.DONE]
    assert sorted(first for first in first_epochs(home) if first > 1) == sorted(expected)


@pytest.mark.parametrize("driver", [1], indirect=True)
def test_a_second_control_c_stops_a_sweep_at_once(
    driver: Driver, home: Path, undisturbed: Path
) -> None:
    driver.signal(signal.SIGINT)
    driver.wait_until(lambda: STOPPING in driver.output())
    driver.signal(signal.SIGINT)
    assert_stopped(driver)
    # Nor does the file matter that the sweep came from.
    assert_goes_on(home, undisturbed, spec=None)


def test_sigterm_stops_a_sweep_after_the_current_epochs(
    sweep: Sweep, home: Path, undisturbed: Path
) -> None:
    with Driver(sweep.spec, home) as driver:
        driver.wait_until(lambda: drivers.some_run_is_done(home))
        driver.signal(signal.SIGTERM)
        assert_stopped(driver)
    assert_goes_on(home, undisturbed, spec=sweep.spec)


def test_sigterm_stops_an_epoch_longer_than_the_grace_period(home: Path) -> None:
    sweep = drivers.write_spec(home.parent, runs=2, epochs=2, trainer="fake_trainers:hangs")
    with Driver(sweep.spec, home, more=["--grace", "1"]) as driver:
        driver.wait_until(lambda: drivers.first_claim_after(driver.db, 0) is not None)
        driver.signal(signal.SIGTERM)
        asked = time.monotonic()
        assert_stopped(driver)
        assert time.monotonic() - asked >= 1
    with Driver(sweep.spec, home, more=["--grace", "0"]) as driver:
        # The first run finishes at its second attempt; the other one hangs now.
        driver.wait_until(lambda: len(drivers.attempts(driver.db)) == 2)
        driver.signal(signal.SIGTERM)
        assert_stopped(driver)
    with Driver(sweep.spec, home) as driver:
        driver.finish()
    assert len(drivers.done(driver.db)) == 2


def test_running_a_finished_sweep_says_so(sweep: Sweep, undisturbed: Path) -> None:
    db = drivers.database_of(undisturbed)
    before = drivers.attempts(db)
    said = command_line.sweep("run", str(sweep.spec), "--home", str(undisturbed))
    assert said.exit_code == 0
    assert "4 of 4 runs done already; nothing to train" in said.stderr
    assert said.stdout == ""
    assert drivers.attempts(db) == before
