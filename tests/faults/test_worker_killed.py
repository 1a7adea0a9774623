"""kill -9 of a worker at any moment: its run goes on from its checkpoint, to the same bits."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, groupby
from pathlib import Path

import pytest

import drivers
from drivers import Driver, Undisturbed
from figures import Figure, Times
from noted_trainers import Note, read_notes

pytestmark = [pytest.mark.ray, pytest.mark.timeout(3600)]

MANY = "faults: {worker_lost: {attempts: 100}}\n"
"""So that it does not matter how often chance meets one run."""


def test_a_run_continues_from_its_killed_workers_checkpoint(
    tmp_path: Path,
    home: Path,
    db: str,
    database: str,
    times: Times,
    chance: random.Random,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    if times(0, 1) == 0:
        pytest.skip("a few workers with the real trainer will do; SWEEP_FAULTS=full kills more")
    sweep = drivers.write_spec(tmp_path, trainer="noted_trainers:paced", more=MANY)
    goes_on(sweep, 30, home, db, database, chance, undisturbed, figure)


def test_training_is_bit_identical_after_killed_workers(
    tmp_path: Path,
    home: Path,
    times: Times,
    chance: random.Random,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    sweep = drivers.write_spec(
        tmp_path, runs=times(4, 40), epochs=times(8, 6), trainer="noted_trainers:digits", more=MANY
    )
    db = drivers.database_of(home)
    goes_on(sweep, times(2, 30), home, db, "sqlite", chance, undisturbed, figure)


def goes_on(
    sweep: drivers.Sweep,
    kills: int,
    home: Path,
    db: str,
    database: str,
    chance: random.Random,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    expected = undisturbed(sweep)
    data = home / "data"
    with Driver(sweep.spec, home, db=db, executor="ray", slots=2) as driver:
        for point in sorted(chance.sample(range(sweep.all_epochs - sweep.epochs), kills)):
            driver.wait_until(partial(trains_beyond, data, point, driver))
            time.sleep(chance.uniform(0, 0.06))
            victim = chance.choice(training(read_notes(data), driver))
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        driver.finish(seconds=1200)
    found, notes = drivers.facts(db), read_notes(data)
    lost = [a for a in chain(*drivers.attempts_in_full(db).values()) if a["state"] == "lost"]
    figure(
        "worker killed",
        database=database,
        trainer="digits" if "digits" in sweep.spec.read_text().split("trainer: ")[1] else "fake",
        done=sum(found.get(run_id) == facts for run_id, facts in expected.items()),
        of=sweep.runs,
        kills=kills,
        attempts_lost=len(lost),
        most_epochs_lost=most_epochs_lost(notes),
    )
    drivers.assert_same(found, expected)
    drivers.assert_trained_once(db, {})
    assert lost, "no kill met a run"
    assert {attempt["fault"] for attempt in lost} == {"worker_lost"}
    assert most_epochs_lost(notes) <= 1


def trains_beyond(data: Path, point: int, driver: Driver) -> bool:
    """Whether more than `point` epochs are finished and a worker is there to be killed."""
    notes = read_notes(data)
    finished = {(note.run_id, note.epoch) for note in notes if note.epoch}
    return len(finished) > point and bool(training(notes, driver))


def training(notes: Sequence[Note], driver: Driver) -> list[int]:
    """The workers that have begun a run and live."""
    begun = {note.pid for note in notes}
    return sorted(worker.pid for worker in driver.workers() if worker.pid in begun)


def most_epochs_lost(notes: Sequence[Note]) -> int:
    """Of one kill: the epoch under way, and those finished before that were trained again."""
    most = 0
    for _, of_run in groupby(sorted(notes, key=lambda n: n.run_id), lambda n: n.run_id):
        finished = 0
        attempts = groupby(sorted(of_run, key=lambda n: n.attempt), lambda n: n.attempt)
        for number, of_attempt in attempts:
            epochs = [note.epoch for note in of_attempt if note.epoch]
            if number > 1 and epochs:
                most = max(most, finished + 1 - min(epochs) + 1)
            finished = max([finished, *epochs])
    return most
