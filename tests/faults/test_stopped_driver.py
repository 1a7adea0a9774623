"""A driver that is stopped, fenced off, and wakes up: what it then writes is refused."""

from __future__ import annotations

import random
import signal
import sys
from pathlib import Path

import pytest

import databases
import drivers
import short_lease
from attempts_by_driver import DrivenAttempt, Watch
from drivers import Driver, Sweep, Undisturbed
from figures import Figure, Times

LEASE_SECONDS = 5.0

SHORT_LEASES = (sys.executable, str(short_lease.__file__), str(LEASE_SECONDS))

REFUSED = "cancelled or taken over"

pytestmark = pytest.mark.timeout(3600)


def start(sweep: Sweep, home: Path, db: str) -> Driver:
    return Driver(sweep.spec, home, db=db, program=SHORT_LEASES)


def stop_at_work(driver: Driver, watch: Watch) -> list[DrivenAttempt]:
    """Stops it while a run is its own, and returns that."""
    while True:
        driver.signal(signal.SIGSTOP)
        held = watch.held_by(driver.process.pid)
        if held:
            return held
        driver.signal(signal.SIGCONT)
        driver.wait_until(lambda: bool(watch.held_by(driver.process.pid)))


def settled(watch: Watch, held: list[DrivenAttempt]) -> list[DrivenAttempt]:
    """What has become of these attempts; empty before all are another driver's and closed."""
    keys = {(a.run_id, a.attempt): a.pid for a in held}
    found = [a for a in watch.attempts() if (a.run_id, a.attempt) in keys]
    open_ = [a for a in found if a.pid == keys[a.run_id, a.attempt] or a.state == "running"]
    return [] if open_ else found


def fence_off(
    sweep: Sweep, home: Path, db: str, expected: dict[str, object], chance: random.Random
) -> bool:
    """One sweep whose driver is stopped and fenced off; whether what it then wrote was refused."""
    first_done = chance.randint(1, sweep.runs // 3)
    wake_up_late = chance.random() < 0.5
    with Watch(db) as watch, start(sweep, home, db) as sleeper:
        sleeper.wait_until(lambda: len(watch.done()) >= first_done, pause=0.1)
        held = stop_at_work(sleeper, watch)
        with start(sweep, home, db) as other:
            other.wait_until(lambda: bool(settled(watch, held)), pause=0.1)
            if wake_up_late:
                other.wait_until(lambda: {a.run_id for a in held} <= watch.done(), pause=0.1)
            taken = settled(watch, held)
            before = sleeper.output().count(REFUSED)
            sleeper.signal(signal.SIGCONT)
            sleeper.finish()
            other.finish()
        refused = sleeper.output().count(REFUSED) - before
        # The attempts that it held are as the other driver left them.
        assert settled(watch, held) == taken
        assert {a.pid for a in taken} == {other.process.pid}
    drivers.assert_same(drivers.facts(db), expected)
    drivers.assert_trained_once(db, {})
    return refused > 0


def test_writes_of_a_stopped_driver_after_a_takeover_are_refused(
    tmp_path: Path,
    postgres: str,
    times: Times,
    chance: random.Random,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    sweep = drivers.write_spec(tmp_path, runs=times(6, 40), epochs=6)
    expected = undisturbed(sweep)
    takeovers = times(1, 20)
    refused = []
    for number in range(takeovers):
        with databases.postgres_schema(postgres) as db:
            refused.append(fence_off(sweep, tmp_path / str(number) / "home", db, expected, chance))
    figure(
        "stopped driver fenced off",
        database="postgres",
        trainer="fake",
        done=sum(refused),
        of=takeovers,
        runs=sweep.runs,
    )
    assert all(refused)
