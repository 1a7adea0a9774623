"""Postgres goes away, at a COMMIT or for a while: nothing is lost, doubled, or failed by it."""

from __future__ import annotations

import itertools
import random
import re
import sys
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

import command_line
import databases
import drivers
import short_lease
from attempts_by_driver import Watch
from commit_cutter import KINDS, CommitCutter, Cuts
from databases import OwnServer
from drivers import Driver, Sweep, Undisturbed
from figures import Figure, Times
from forked_sweeps import ForkedSweeps

ODD_SEEDS_RAISE = "fake_trainers:odd_seeds_raise"

RENEWS_OFTEN = (sys.executable, str(short_lease.__file__), "5")

EXIT_SOME_FAILED = 1

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(3600)]


def note_cuts(figure: Figure, cuts: Cuts, asked: int, trainer: str) -> None:
    for kind in sorted({kind for kind, _ in cuts.made}):
        before, after = cuts.made[kind, "before"], cuts.made[kind, "after"]
        figure(
            f"connection cut at the COMMIT: {kind}",
            database="postgres",
            trainer=trainer,
            done=before + after,
            of=asked,
            before=before,
            after=after,
        )


def command(name: str, url: str, home: Path) -> str:
    done = command_line.sweep(name, drivers.NAME, "--home", str(home), SWEEP_DB=url)
    assert done.exit_code == 0, done.stderr
    return done.stderr


def histories(url: str) -> Counter[tuple[str, ...]]:
    """How many runs have had which attempts."""
    found: dict[str, list[str]] = {}
    with Watch(url) as watch:
        for attempt in watch.attempts():
            found.setdefault(attempt.run_id, []).append(attempt.state)
    return Counter(map(tuple, found.values()))


def test_each_kind_of_write_happens_once_whichever_connection_is_cut(
    tmp_path: Path,
    postgres: str,
    sweeps: ForkedSweeps,
    times: Times,
    chance: random.Random,
    figure: Figure,
) -> None:
    """Half of the runs raise twice, so that they are released, and fail."""
    sweep = drivers.write_spec(
        tmp_path,
        runs=times(4, 40),
        epochs=2,
        trainer=ODD_SEEDS_RAISE,
        more="faults: {trainer_error: {attempts: 2}}\n",
    )
    half = sweep.runs // 2
    undisturbed = tmp_path / "undisturbed" / "home"
    undisturbed.parent.mkdir()
    assert sweeps.run(sweep, undisturbed, drivers.database_of(undisturbed)).code == EXIT_SOME_FAILED
    expected = drivers.facts(drivers.database_of(undisturbed))
    asked = times(1, 20)
    cuts = Cuts(chance)
    for kind in KINDS.keys() - {"add evaluations", "renew"}:
        cuts.ask(kind, asked)
    for number in itertools.count():
        if not cuts.left:
            break
        home = tmp_path / str(number) / "home"
        home.parent.mkdir()
        with (
            databases.postgres_schema(postgres) as url,
            closing(CommitCutter(url, cuts)) as cutter,
        ):
            end = sweeps.run(sweep, home, cutter.url)
            assert end.code == EXIT_SOME_FAILED, end.output
            assert drivers.facts(url) == expected
            tried = {("done",): half, ("lost", "failed"): half}
            assert histories(url) == tried
            assert f"{half} runs queued again" in command("retry", cutter.url, home)
            assert f"{half} runs cancelled" in command("cancel", cutter.url, home)
            assert histories(url) == tried
            states = Counter(facts["state"] for facts in drivers.facts(url).values())
            assert states == {"done": half, "cancelled": half}
    note_cuts(figure, cuts, asked, "fake")


def test_a_lease_is_renewed_whichever_connection_is_cut(
    tmp_path: Path,
    home: Path,
    postgres_url: str,
    times: Times,
    chance: random.Random,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    asked = times(0, 20)
    if not asked:
        pytest.skip("SWEEP_FAULTS=full waits for enough renewals")
    sweep = drivers.write_spec(tmp_path, runs=40, epochs=20)
    cuts = Cuts(chance)
    cuts.ask("renew", asked)
    with (
        closing(CommitCutter(postgres_url, cuts)) as cutter,
        Driver(sweep.spec, home, db=cutter.url, program=RENEWS_OFTEN) as driver,
    ):
        driver.finish()
    note_cuts(figure, cuts, asked, "fake")
    assert cuts.left == []
    drivers.assert_same(drivers.facts(postgres_url), undisturbed(sweep))
    assert histories(postgres_url) == {("done",): sweep.runs}


def test_evaluations_are_added_once_whichever_connection_is_cut(
    tmp_path: Path,
    home: Path,
    postgres_url: str,
    sweeps: ForkedSweeps,
    times: Times,
    chance: random.Random,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    runs = times(4, 40)
    sweep = drivers.write_spec(tmp_path, runs=runs, epochs=1, trainer=drivers.REAL, images=64)
    assert sweeps.run(sweep, home, postgres_url).code == 0
    text = sweep.spec.read_text()
    assert text.endswith("evaluations:\n  - {noise: gaussian, std: 0.2}\n")
    sweep.spec.write_text(text + "  - {noise: constant, value: 0.3}\n")
    asked = times(1, 20)
    cuts = Cuts(chance)
    cuts.ask("add evaluations", asked)
    with closing(CommitCutter(postgres_url, cuts)) as cutter:
        end = sweeps.run(sweep, home, cutter.url)
    note_cuts(figure, cuts, asked, "digits")
    assert end.code == 0, end.output
    assert re.search(rf"\b{runs} evaluated from stored weights", end.output)
    assert cuts.left == []
    drivers.assert_same(drivers.facts(postgres_url), undisturbed(sweep))
    assert histories(postgres_url) == {("done",): runs}


def test_no_run_fails_while_postgres_is_unreachable(
    tmp_path: Path, times: Times, undisturbed: Undisturbed, figure: Figure
) -> None:
    sweep = drivers.write_spec(tmp_path, runs=times(6, 40), epochs=times(10, 20))
    expected = undisturbed(sweep)
    outages, away = times(1, 5), times(3, 30)
    waits: list[float] = []
    with ExitStack() as stack:
        server = stack.enter_context(databases.own_server())
        workers = [
            stack.enter_context(Driver(sweep.spec, tmp_path / str(n) / "home", db=server.url))
            for n in range(times(1, 2))
        ]
        for number in range(outages):
            waits.append(go_away(server, workers, sweep, away, crash=number % 2 == 0))
        for driver in workers:
            driver.finish()
        found, attempts = drivers.facts(server.url), histories(server.url)
        told = [driver.output().count("trying again for") for driver in workers]
    figure(
        "Postgres unreachable",
        database="postgres",
        trainer="fake",
        done=len(waits),
        of=outages,
        away_s=away,
        drivers=len(workers),
        progress_most_s=round(max(waits), 1),
    )
    drivers.assert_same(found, expected)
    assert attempts == {("done",): sweep.runs}
    assert all(told)


def go_away(
    server: OwnServer, workers: list[Driver], sweep: Sweep, seconds: float, *, crash: bool
) -> float:
    """Stops the server for a while, in mid-sweep; how long the first commit took afterwards."""
    with Watch(server.url) as watch:
        before = len(watch.done())
        workers[0].wait_until(lambda: len(watch.done()) >= before + 2, pause=0.05)
        assert len(watch.done()) < sweep.runs - len(workers), "too late: there is nothing left"
    server.stop("immediate" if crash else "fast")
    time.sleep(seconds)
    server.start()
    back = time.monotonic()
    with Watch(server.url) as watch:
        at_return = watch.done()
        workers[0].wait_until(lambda: watch.done() > at_return, pause=0.05)
    return time.monotonic() - back
