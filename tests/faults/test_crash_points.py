"""A driver killed just before and just after every commit, fsync and rename finishes by itself.

The second time it is started, that is. Who recovers may be killed at each of its own points too.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import databases
import drivers
from drivers import NewDatabase, Sweep, Undisturbed
from figures import Figure, Times
from forked_sweeps import ForkedSweeps

pytestmark = pytest.mark.timeout(3600)

KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    folder = tmp_path_factory.mktemp("spec")
    return drivers.write_spec(folder, runs=2, epochs=3)


@pytest.fixture
def new_place(tmp_path: Path, new_database: NewDatabase) -> Callable[[], Any]:
    """Makes an unused home and database, for as long as a `with` block runs."""
    number = 0

    @contextmanager
    def made() -> Iterator[tuple[Path, str]]:
        nonlocal number
        number += 1
        home = tmp_path / f"home-{number}"
        with new_database(home) as db:
            yield home, db

    return made


def chosen(points: list[str], quick: int, times: Times, chance: random.Random) -> list[str]:
    """All of them, or a few of each kind of step."""
    assert len(points) == len(set(points))
    kept = sorted(chance.sample(points, min(quick, len(points))), key=points.index)
    return kept if times(0, 1) == 0 else points


def test_every_kind_of_driver_step_has_crash_points(
    sweeps: ForkedSweeps, sweep: Sweep, new_place: Callable[[], Any]
) -> None:
    with new_place() as (home, db):
        end = sweeps.run(sweep, home, db)
    assert end.code == 0, end.output
    names = {point.split(" #")[0] for point in end.points}
    commits = {name for name in names if name.startswith("commit ")}
    assert commits >= {
        "commit the schema", "commit register", "commit save_sweep", "commit claim_all",
        "commit commit_all", "commit take_over", "commit end",
    }  # fmt: skip
    for name in ("checkpoint-2.pt", "checkpoint-3.pt.sha256", "result.json", "drivers/MARK"):
        assert any(n.startswith("replace ") and n.endswith(name) for n in names), name
    assert any(name.startswith("fsync ") and name.endswith("(temporary)") for name in names)
    assert "fsync runs" in names
    assert {point.rsplit(": ")[1] for point in end.points} == {"before", "after"}


@pytest.mark.parametrize(
    "first_death",
    [
        pytest.param("", id="never killed before"),
        pytest.param(
            "replace runs/{run}/1/checkpoint-2.pt.sha256 #1: after", id="killed at a checkpoint"
        ),
        pytest.param("commit commit_all #1: before", id="killed at a commit"),
    ],
)
def test_a_driver_recovers_from_a_crash_at_any_point(
    first_death: str,
    request: pytest.FixtureRequest,
    sweeps: ForkedSweeps,
    sweep: Sweep,
    new_place: Callable[[], Any],
    database: str,
    times: Times,
    chance: random.Random,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    expected = undisturbed(sweep)
    first_death = first_death.format(run=next(iter(expected)))

    def die_first(home: Path, db: str) -> None:
        if first_death:
            assert sweeps.run(sweep, home, db, die_at=first_death).code == KILLED

    with new_place() as (home, db):
        die_first(home, db)
        points = sweeps.run(sweep, home, db).points
    tried = chosen(points, 3 if first_death else 4, times, chance)
    broken = {}
    for point in tried:
        with new_place() as (home, db):
            die_first(home, db)
            end = sweeps.run(sweep, home, db, die_at=point)
            assert end.code == KILLED, f"{point} was not met:\n{end.output}"
            done_before = drivers.done(db)
            again = sweeps.run(sweep, home, db)
            try:
                assert again.code == 0, again.output
                drivers.assert_same(drivers.facts(db), expected)
                drivers.assert_trained_once(db, done_before)
                assert leftovers(home, done_before) == []
            except AssertionError as error:
                broken[point] = str(error)
    figure(
        "crash points", database=database, trainer="fake", done=len(tried) - len(broken),
        of=len(tried), points=len(points), driver=request.node.callspec.id.split("-")[1],
    )  # fmt: skip
    assert broken == {}


@pytest.fixture(scope="module")
def reporting(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Of somebody's own trainer, whose reports are stored before each of its runs ends."""
    spec = tmp_path_factory.mktemp("reporting") / f"{drivers.NAME}.yaml"
    spec.write_text("trainer: reporting_trainers:stores\ngrid: {seed: [0, 1]}\n")
    return Sweep(spec, runs=2, epochs=3)


def test_results_of_runs_that_had_reported_are_adopted(
    sweeps: ForkedSweeps, reporting: Sweep, home: Path, db: str, undisturbed: Undisturbed
) -> None:
    expected = undisturbed(reporting)
    died = sweeps.run(reporting, home, db, die_at="commit commit_all #1: before")
    assert died.code == KILLED, died.output
    left = databases.content(db)
    assert left["epochs"]
    assert left["epoch_metrics"]
    ended = [i for i, e in drivers.finished_epochs(home / "runs").items() if e == drivers.DONE]
    # Who adopts the result dies of the same.
    died = sweeps.run(reporting, home, db, die_at="commit commit_all #1: before")
    assert died.code == KILLED, died.output
    again = sweeps.run(reporting, home, db)
    assert again.code == 0, again.output
    drivers.assert_same(drivers.facts(db), expected)
    assert [len(drivers.attempts(db)[run_id]) for run_id in ended] == [1]


def leftovers(home: Path, done_before: Container[str]) -> list[str]:
    """What a finished sweep has no use for.

    Runs that were done before the crash do not count: their folders are not read again, and
    what was to be removed when it came stays there.
    """
    checkpoints = [
        path
        for path in home.glob("runs/*/*/*")
        if "checkpoint-" in path.name and path.parts[-3] not in done_before
    ]
    return [str(path.relative_to(home)) for path in [*checkpoints, *home.glob("sweep.db-*")]]
