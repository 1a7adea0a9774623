"""kill -9 of the driver at any moment: the same command finishes the sweep, to the bit."""

from __future__ import annotations

import os
import random
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

import drivers
from drivers import Driver, Sweep, Undisturbed
from figures import Figure, Times

Executor = Literal["inline", "ray"]

START_SECONDS: dict[Executor, float] = {"inline": 1.5, "ray": 6.0}
"""About what a console script takes until its first run trains."""

WARM_START_SECONDS = 0.3
"""About what a fork takes."""

pytestmark = pytest.mark.timeout(3600)


@dataclass
class Deaths:
    """What happened while a sweep was killed again and again.

    Attributes:
        kills: how often its driver was killed.
        relaunches: seconds from a start after a kill to its first claim.
        done: by run id, how many attempts the runs had that were done at some kill.
    """

    kills: int = 0
    relaunches: list[float] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)


def kill_often(
    sweep: Sweep,
    home: Path,
    db: str,
    executor: Executor,
    kills: int,
    chance: random.Random,
    cold: bool,
) -> Deaths:
    """Kills the driver at `kills` random points, then lets it finish.

    Most points are epochs of the sweep, from the first to the last; every fifth is a moment of a
    driver's start, where nothing trains yet. `cold` starts console scripts, as users do.
    """
    program = drivers.SWEEP if cold or executor == "ray" else None
    start_seconds = START_SECONDS[executor] if program else WARM_START_SECONDS
    start = partial(
        Driver,
        sweep.spec,
        home,
        db=db,
        executor=executor,
        slots=2 if executor == "ray" else None,
        program=program,
    )
    points: list[int | None] = [*chance.sample(range(sweep.all_epochs - sweep.epochs), kills)]
    points.sort()
    for number in range(2, kills, 5):
        points[number] = None
    deaths = Deaths()
    with ExitStack() as leftovers:
        before: Driver | None = None
        for point in points:
            driver = leftovers.enter_context(start())
            if point is None:
                time.sleep(chance.uniform(0, start_seconds))
            else:
                driver.wait_until(partial(has_passed, home, sweep, point))
                time.sleep(chance.uniform(0, 0.06))
            assert driver.process.poll() is None, f"not killed:\n{driver.output()}"
            driver.kill_alone()
            note_relaunch(deaths, driver)
            deaths.kills += 1
            deaths.done |= drivers.done(db)
            # Workers of a dead driver live on next to the next driver, not next to all others.
            if before is not None:
                before.clean_up()
            before = driver
        last = leftovers.enter_context(start())
        last.finish(seconds=1200)
        note_relaunch(deaths, last)
    return deaths


def has_passed(home: Path, sweep: Sweep, point: int) -> bool:
    return drivers.progress(home, sweep) > point


def note_relaunch(deaths: Deaths, driver: Driver) -> None:
    claimed = drivers.first_claim_after(driver.db, driver.started_at)
    if deaths.kills and claimed is not None:
        deaths.relaunches.append(claimed - driver.started_at)


def killed_and_finished(
    sweep: Sweep,
    executor: Executor,
    kills: int,
    home: Path,
    db: str,
    database: str,
    chance: random.Random,
    undisturbed: Undisturbed,
    figure: Figure,
    cold: bool,
) -> None:
    expected = undisturbed(sweep)
    deaths = kill_often(sweep, home, db, executor, kills, chance, cold)
    found = drivers.facts(db)
    same = sum(found.get(run_id) == facts for run_id, facts in expected.items())
    figure(
        "driver killed",
        database=database,
        trainer="fake" if "trainer:" in sweep.spec.read_text() else "digits",
        done=same,
        of=sweep.runs,
        executor=executor,
        kills=deaths.kills,
        relaunch_median_s=round(statistics.median(deaths.relaunches), 1),
        relaunch_most_s=round(max(deaths.relaunches), 1),
    )
    drivers.assert_same(found, expected)
    drivers.assert_trained_once(db, deaths.done)


def test_rerunning_the_command_continues_a_killed_drivers_sweep(
    tmp_path: Path,
    home: Path,
    db: str,
    database: str,
    times: Times,
    chance: random.Random,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    sweep = drivers.write_spec(tmp_path, runs=times(6, 40), epochs=times(5, 20))
    killed_and_finished(
        sweep,
        "inline",
        times(3, 50),
        home,
        db,
        database,
        chance,
        undisturbed,
        figure,
        cold=times(0, 1) == 1,
    )


def test_training_is_bit_identical_after_a_killed_driver(
    tmp_path: Path,
    home: Path,
    db: str,
    database: str,
    times: Times,
    chance: random.Random,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    if database == "postgres" and times(0, 1) == 0:
        pytest.skip("the database makes no difference to bits; SWEEP_FAULTS=full tests it")
    sweep = drivers.write_spec(tmp_path, runs=times(2, 40), epochs=6, trainer=drivers.REAL)
    killed_and_finished(
        sweep,
        "inline",
        times(2, 50),
        home,
        db,
        database,
        chance,
        undisturbed,
        figure,
        cold=times(0, 1) == 1,
    )


@pytest.mark.ray
def test_workers_that_outlive_their_driver_change_nothing(
    tmp_path: Path,
    home: Path,
    db: str,
    database: str,
    times: Times,
    chance: random.Random,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    if database == "postgres" and times(0, 1) == 0:
        pytest.skip("the database makes no difference to workers; SWEEP_FAULTS=full tests it")
    sweep = drivers.write_spec(tmp_path, runs=times(6, 40), epochs=times(10, 20))
    killed_and_finished(
        sweep, "ray", times(1, 50), home, db, database, chance, undisturbed, figure, cold=True
    )


def test_a_truncated_checkpoint_is_skipped(
    tmp_path: Path, home: Path, undisturbed: Undisturbed
) -> None:
    sweep = drivers.write_spec(tmp_path, runs=2, epochs=6, trainer=drivers.REAL)
    expected = undisturbed(sweep)
    with Driver(sweep.spec, home) as driver:
        driver.wait_until(lambda: drivers.some_run_is_half_trained(home))
    epochs = drivers.finished_epochs(home / "runs")
    (run_id,) = [run_id for run_id, epoch in epochs.items() if epoch != drivers.DONE]
    (checkpoint,) = home.glob(f"runs/{run_id}/1/checkpoint-{epochs[run_id]}.pt")
    os.truncate(checkpoint, checkpoint.stat().st_size // 2)
    with Driver(sweep.spec, home) as driver:
        driver.finish()
    first, second = drivers.attempts_in_full(driver.db)[run_id]
    assert first["state"] == "lost"
    assert second["first_epoch"] == epochs[run_id]
    drivers.assert_same(drivers.facts(driver.db), expected)
