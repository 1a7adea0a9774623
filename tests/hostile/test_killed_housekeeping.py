"""`sweep gc` and `sweep delete` killed at every step, and gc beside drivers that are killed."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import pytest

import databases
import drivers
from command_line import sweep
from drivers import Driver
from forked_sweeps import ForkedSweeps
from laboratories import CHECKPOINT, WEIGHTS, Lab
from results.queries.queries import Queries

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(900)]

GC = ["gc", "--yes"]
RESULTS = ["gc", "--results", "--yes"]
DELETE = ["delete", "a", "--results", "--yes"]

KILLED = -9


@pytest.fixture(scope="module")
def sweeps() -> Iterator[ForkedSweeps]:
    opened = ForkedSweeps()
    yield opened
    opened.close()


@pytest.fixture(params=databases.KINDS)
def new_lab(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[], AbstractContextManager[Lab]]:
    """A laboratory as a `with` block finds it: the same each time, also its path.

    "a" holds the seeds 0 and 1, "b" 1 and 2, and "c", which was deleted, held 3. Of seed 0 an
    attempt was lost.
    """
    if request.param == "sqlite":
        lab, first = Lab(tmp_path), tmp_path / "first"
        fill(lab)
        shutil.copytree(lab.home, first)

        def again() -> AbstractContextManager[Lab]:
            shutil.rmtree(lab.home)
            shutil.copytree(first, lab.home)
            return nullcontext(lab)

        return again
    server = request.getfixturevalue("postgres")

    class New(ExitStack):
        def __enter__(self) -> Any:
            url = self.enter_context(databases.postgres_schema(server))
            lab = Lab(tmp_path, db=url)
            shutil.rmtree(lab.home, ignore_errors=True)
            fill(lab)
            return lab

    return New


def fill(lab: Lab) -> None:
    for name, seeds in (("a", [0, 1]), ("b", [1, 2]), ("c", [3])):
        lab.run(name, seeds)
    for seed in range(4):
        lab.put(seed, 1, *WEIGHTS, *CHECKPOINT)
    lab.ask("delete", "c")


def state(lab: Lab) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What the database says of the runs, and the files of all attempts; results have times."""
    rows = sorted(lab.rows(), key=lambda row: row["run_id"])
    files = {
        str(path.relative_to(lab.runs)): path.read_bytes() if path.suffix != ".json" else None
        for path in lab.runs.rglob("*")
        if path.is_file() and path.parent.name.isdecimal()
    }
    return rows, files


def require_whole(lab: Lab, command: list[str]) -> None:
    """Every run that was not to go is there, with its result and weights."""
    ids = lab.ids()
    files = lab.files()
    for seed in (1, 2):
        assert {f"{ids[seed]}/1/{name}" for name in ("result.json", *WEIGHTS)} <= files
    if command is not RESULTS:
        assert f"{ids[3]}/1/result.json" in files


@pytest.mark.parametrize("command", [GC, RESULTS, DELETE], ids=["gc", "results", "delete"])
def test_killed_at_every_step_the_same_command_ends_the_same(
    command: list[str], new_lab: Callable[[], Any], sweeps: ForkedSweeps
) -> None:
    with new_lab() as lab:
        end = sweeps.ask(command, lab.home, lab.url)
        assert end.code == 0, end.output
        undisturbed = state(lab)
        points = end.points
        assert any("unlink" in point for point in points), points
        assert any("commit" in point for point in points), points
        require_whole(lab, command)
    if lab.url.startswith("postgres"):  # each has a database of its own to fill
        points = random.Random(4).sample(points, 5)
    for point in points:
        with new_lab() as lab:
            assert sweeps.ask(command, lab.home, lab.url, die_at=point).code == KILLED
            require_whole(lab, command)
            # Rows of a run stay as long as it has files.
            ids = set(lab.ids().values())
            assert {path.parent.parent.name for path in lab.runs.glob("*/1/result.json")} <= ids
            end = sweeps.ask(command, lab.home, lab.url)
            # What the first had done but not said is no error the second time, or is said.
            if end.code != 0:
                assert "unknown sweep 'a'" in end.output, end.output
            assert state(lab) == undisturbed, point


def checkpoints(home: Path) -> set[Path]:
    """Those that are whole, of attempts without a result."""
    return {
        path
        for path in (home / "runs").glob("*/*/checkpoint-*.pt.sha256")
        if path.with_suffix("").exists() and not path.with_name("result.json").exists()
    }


@pytest.mark.parametrize("kind", databases.KINDS)
def test_gc_beside_drivers_that_are_killed_loses_no_checkpoint(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Runs go on from the checkpoints that they had, though gc ran all the time."""
    home = tmp_path / "home"
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else None
    spec = drivers.write_spec(tmp_path, runs=6, epochs=12)
    db = url or drivers.database_of(home)
    over = threading.Event()
    said: list[str] = []

    def collect() -> None:
        while not over.is_set():
            if not (home / "runs").exists():
                time.sleep(0.05)
                continue
            environment = {"SWEEP_DB": url} if url else {}
            done = sweep("gc", "--yes", "--home", str(home), **environment)
            said.append(done.stderr)
            assert done.exit_code == 0, done.stderr

    collector = threading.Thread(target=collect)
    collector.start()
    seen: set[str] = set()
    chance = random.Random(4)
    try:
        for _ in range(6):
            with Driver(spec.spec, home, db=db) as driver:
                before = checkpoints(home)
                driver.wait_until(lambda: bool(checkpoints(home) - before))  # noqa: B023
                time.sleep(chance.uniform(0.0, 0.3))
                driver.kill_alone()
            seen |= {path.parent.parent.name for path in checkpoints(home)}
        with Driver(spec.spec, home, db=db) as driver:
            assert driver.process.wait(120) == 0, driver.output()
    finally:
        over.set()
        collector.join()
    assert len(said) > 10
    with Queries.open(db) as queries:
        rows = queries.run_rows()
        assert {row["state"] for row in rows} == {"done"}
        history = {row["run_id"]: queries.run_detail(row["run_id"]) for row in rows}
        first = {key: run["attempt_history"][-1]["first_epoch"] for key, run in history.items()}
    assert seen
    assert all(first[run_id] > 1 for run_id in seen)
    # Nothing is left of what the runs needed on their way.
    sweep("gc", "--yes", "--home", str(home), **({"SWEEP_DB": url} if url else {}))
    assert not list((home / "runs").glob("*/*/checkpoint-*"))
