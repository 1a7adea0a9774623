"""Several drivers at once: each run is one's own, and a SQLite file has one driver only."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import claim_everything
import databases
import drivers
from attempts_by_driver import Watch
from drivers import Driver, Sweep, Undisturbed
from figures import Figure, Times
from results.store.store import Store
from saved_specs import save_spec
from sweeper.spec.spec import load_spec

EXIT_RESOURCE_MISSING = 3

pytestmark = pytest.mark.timeout(3600)


def save(sweep: Sweep, db: str) -> None:
    """As a `sweep run` does that ends just afterwards."""
    spec = load_spec(sweep.spec, [])
    with Store.open(db) as store:
        save_spec(store, spec)


@dataclass
class Pair:
    """Two resumes that were started at one moment."""

    workers: list[Driver]
    refused: list[Driver]
    seconds: float  # until the refusal, or until both have ended


def resume_twice(home: Path, db: str, times: Times) -> Pair:
    program = drivers.SWEEP if times(0, 1) else None  # as users start it, where time is measured
    start = time.monotonic()
    with (
        Driver(None, home, db=db, program=program) as one,
        Driver(None, home, db=db, program=program) as other,
    ):
        pair = [one, other]
        first = None
        while first is None:
            first = next((driver for driver in pair if driver.process.poll() is not None), None)
            time.sleep(0.01)
        seconds = time.monotonic() - start
        codes = [driver.end() for driver in pair]
    refused = [d for d, code in zip(pair, codes, strict=True) if code == EXIT_RESOURCE_MISSING]
    workers = [d for d, code in zip(pair, codes, strict=True) if code == 0]
    assert len(refused) + len(workers) == 2, [driver.output() for driver in pair]
    return Pair(workers, refused, seconds)


def test_two_concurrent_resumes_divide_the_runs(
    tmp_path: Path,
    postgres: str,
    times: Times,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    sweep = drivers.write_spec(tmp_path, runs=times(20, 40), epochs=8)
    expected = undisturbed(sweep)
    pairs = times(1, 20)
    shares = []
    for number in range(pairs):
        with databases.postgres_schema(postgres) as db:
            save(sweep, db)
            pair = resume_twice(tmp_path / str(number) / "home", db, times)
            with Watch(db) as watch:
                attempts = watch.attempts()
            facts = drivers.facts(db)
        assert pair.refused == []
        assert [(a.attempt, a.state) for a in attempts] == [(1, "done")] * sweep.runs
        drivers.assert_same(facts, expected)
        shares.append([sum(a.pid == d.process.pid for a in attempts) for d in pair.workers])
        assert sum(shares[-1]) == sweep.runs
    figure(
        "two resumes at once",
        database="postgres",
        trainer="fake",
        done=pairs,
        of=pairs,
        fewest_runs_of_a_driver=min(map(min, shares)),
        runs=sweep.runs,
    )
    # One may start so late that the other has done it all; but not each time.
    assert max(map(min, shares)) > 0


def test_a_second_resume_on_a_sqlite_file_is_refused_with_the_reason(
    tmp_path: Path, times: Times, undisturbed: Undisturbed, figure: Figure
) -> None:
    sweep = drivers.write_spec(tmp_path, runs=times(10, 40), epochs=8)
    expected = undisturbed(sweep)
    pairs = times(1, 20)
    seconds = []
    for number in range(pairs):
        home = tmp_path / str(number) / "home"
        db = drivers.database_of(home)
        save(sweep, db)
        pair = resume_twice(home, db, times)
        ((worker,), (refused,)) = pair.workers, pair.refused
        told = rf"host {re.escape(socket.gethostname())}, pid {worker.process.pid}\b"
        assert re.search(told, refused.output())
        assert "Traceback" not in refused.output()
        with Watch(db) as watch:
            attempts = watch.attempts()
        assert [(a.attempt, a.state) for a in attempts] == [(1, "done")] * sweep.runs
        drivers.assert_same(drivers.facts(db), expected)
        seconds.append(pair.seconds)
    figure(
        "two resumes at once",
        database="sqlite",
        trainer="fake",
        done=pairs,
        of=pairs,
        refused_within_s=round(max(seconds), 1),
    )


def test_a_stopped_driver_keeps_its_lock_on_a_sqlite_file(tmp_path: Path, home: Path) -> None:
    """Whoever it is: it may wake up in the middle of a write."""
    sweep = drivers.write_spec(tmp_path, runs=4, epochs=4)
    with Driver(sweep.spec, home) as sleeper, Watch(sleeper.db) as watch:
        sleeper.wait_until(lambda: drivers.some_run_is_half_trained(home, 1))
        sleeper.signal(signal.SIGSTOP)
        with Driver(None, home) as other:
            assert other.end() == EXIT_RESOURCE_MISSING
            assert f"pid {sleeper.process.pid}" in other.output()
        sleeper.signal(signal.SIGCONT)
        sleeper.finish()
        assert {(a.attempt, a.state) for a in watch.attempts()} == {(1, "done")}


def test_of_many_processes_exactly_one_wins_each_claim(
    tmp_path: Path, db: str, database: str, home: Path, times: Times, figure: Figure
) -> None:
    claims, racers = times(0, 1_000), 8
    if not claims:
        pytest.skip("SWEEP_FAULTS=full measures it; the tests of leases have such a race")
    sweep = drivers.write_spec(tmp_path, runs=claims)
    home.mkdir()
    save(sweep, db)
    with ExitStack() as stack:
        processes = [stack.enter_context(claimer(db, order)) for order in range(racers)]
        for process in processes:
            assert answer(process) == "ready"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        won = [json.loads(answer(process)) for process in processes]
    winners = [run_id for ids in won for run_id in ids]
    with Watch(db) as watch:
        claimed = [(a.run_id, a.attempt) for a in watch.attempts()]
    figure(
        "concurrent claims",
        database=database,
        trainer="none",
        done=len(set(winners)),
        of=sweep.runs,
        processes=racers,
        fewest_won=min(map(len, won)),
    )
    assert len(winners) == len(set(winners)) == sweep.runs
    assert claimed == [(run_id, 1) for run_id in sorted(winners)]


def claimer(db: str, order: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(claim_everything.__file__), db, drivers.NAME, str(order)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return process.stdout.readline().strip()
