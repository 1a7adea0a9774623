"""A disk that fills up, or fails: a named error, an intact database, and the same bits later."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import drivers
from drivers import NewDatabase, Sweep, Undisturbed
from figures import Figure, Times
from forked_sweeps import End, ForkedSweeps

pytestmark = pytest.mark.timeout(3600)

PLENTY = 64 * 2**20
PAGE = 4096

IMPATIENT = "faults: {unreachable: {seconds: 0}}\n"


class SmallDisk:
    """A file system of its own, in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """A disk of `size` bytes; skips the test where one may not be mounted."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"only root can mount a small disk: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def most_while(act: Callable[[], End], measure: Callable[[], int]) -> int:
    """The largest measure while something runs, which must succeed."""
    most, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.005):
            most = max(most, measure())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        end = act()
    finally:
        ended.set()
        watcher.join()
    assert end.code == 0, end.output
    return max(most, measure())


def pages_of(folder: Path) -> int:
    """The bytes of the pages that its files fill."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(-(-size // PAGE) * PAGE for size in sizes)


def largest_file(folder: Path) -> int:
    sizes = []
    for path in folder.rglob("*"):
        try:
            sizes.append(path.stat().st_size if path.is_file() else 0)
        except FileNotFoundError:
            continue
    return max(sizes, default=0)


def spread(most: int, count: int, unit: int) -> list[int]:
    """`count` sizes, all less than `most`, in whole units."""
    return [
        max(unit, most * number // (count + 1) // unit * unit) for number in range(1, count + 1)
    ]


def assert_named_error(end: End) -> None:
    """It ended by itself, with one error that says what is wrong and where."""
    assert end.code == 3, end.output
    assert "Traceback" not in end.output, end.output
    assert any(line.startswith("error: ") for line in end.output.splitlines()), end.output


def assert_intact(home: Path, elsewhere: Path) -> None:
    """The SQLite file and the files next to it hold a whole database."""
    files = [path for path in home.glob("sweep.db*") if path.stat().st_size]
    if (home / "sweep.db") not in files:
        return  # there was no space even for its first page
    elsewhere.mkdir()
    for path in files:
        shutil.copy(path, elsewhere)
    connection = sqlite3.connect(elsewhere / "sweep.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()
        shutil.rmtree(elsewhere)


@dataclass(frozen=True)
class Bench:
    """What the tests have in common."""

    sweeps: ForkedSweeps
    sweep: Sweep
    logs: Path
    expected: dict[str, dict[str, Any]]

    def recovers(
        self, home: Path, db: str, repair: Callable[[], None] = lambda: None, **fault: Any
    ) -> str:
        """The error that a sweep with this fault ended with.

        Afterwards the same command, with nothing in its way, finishes the sweep.
        """
        log = self.logs / f"{home.parent.name}.log"
        end = self.sweeps.run(self.sweep, home, db, log=log, **fault)
        assert_named_error(end)
        assert_intact(home, self.logs / "copy")
        repair()
        done_before = drivers.done(db)
        again = self.sweeps.run(self.sweep, home, db, log=log)
        assert again.code == 0, again.output
        drivers.assert_same(drivers.facts(db), self.expected)
        drivers.assert_trained_once(db, done_before)
        for tries in drivers.attempts(db).values():
            assert "failed" not in {attempt["state"] for attempt in tries}
        return next(line for line in end.output.splitlines() if line.startswith("error: "))


@pytest.fixture
def bench(tmp_path: Path, times: Times, sweeps: ForkedSweeps, undisturbed: Undisturbed) -> Bench:
    sweep = drivers.write_spec(tmp_path, runs=times(8, 40), epochs=2, more=IMPATIENT)
    return Bench(sweeps, sweep, tmp_path, undisturbed(sweep))


def test_a_full_disk_loses_nothing(
    tmp_path: Path,
    bench: Bench,
    database: str,
    new_database: NewDatabase,
    times: Times,
    figure: Figure,
) -> None:
    with small_disk(tmp_path / "roomy", PLENTY) as disk:
        home = disk.folder / "home"
        with new_database(home) as db:
            end = bench.sweeps.run(bench.sweep, home, db)
            assert end.code == 0, end.output
            # What stays is surely needed. What lies next to it at one moment or another is not,
            # nor is all that the file system counts as used.
            needed = pages_of(home)
    sizes = spread(needed, times(3, 20), PAGE)
    errors = set()
    for size in sizes:
        with small_disk(tmp_path / f"disk-{size}", size) as disk:
            home = disk.folder / "home"
            with new_database(home) as db:
                said = bench.recovers(home, db, repair=partial(disk.resize, PLENTY))
                errors.add(said.replace(str(disk.folder), ""))
    figure(
        "disk full", database=database, trainer="fake", done=len(sizes), of=len(sizes),
        runs=bench.sweep.runs, needed_bytes=needed, different_errors=len(errors),
    )  # fmt: skip


def test_a_file_size_limit_loses_nothing(
    tmp_path: Path,
    bench: Bench,
    database: str,
    new_database: NewDatabase,
    times: Times,
    figure: Figure,
) -> None:
    home = tmp_path / "roomy" / "home"
    home.parent.mkdir()
    with new_database(home) as db:
        needed = most_while(
            lambda: bench.sweeps.run(bench.sweep, home, db), lambda: largest_file(home)
        )
    sizes = spread(needed, times(2, 20), 1)
    for size in sizes:
        home = tmp_path / f"files-{size}" / "home"
        home.parent.mkdir()
        with new_database(home) as db:
            bench.recovers(home, db, largest_file=size)
    figure(
        "largest file", database=database, trainer="fake", done=len(sizes), of=len(sizes),
        runs=bench.sweep.runs, needed_bytes=needed,
    )  # fmt: skip


def test_a_failing_fsync_loses_nothing(
    tmp_path: Path,
    bench: Bench,
    database: str,
    new_database: NewDatabase,
    times: Times,
    chance: random.Random,
    figure: Figure,
) -> None:
    home = tmp_path / "healthy" / "home"
    home.parent.mkdir()
    with new_database(home) as db:
        end = bench.sweeps.run(bench.sweep, home, db)
    steps = [point.split(": ")[0] for point in end.points if point.endswith(": before")]
    fsyncs = chance.sample([step for step in steps if step.startswith("fsync ")], times(2, 20))
    for number, step in enumerate(fsyncs):
        home = tmp_path / f"ill-{number}" / "home"
        home.parent.mkdir()
        with new_database(home) as db:
            bench.recovers(home, db, fail_at=step)
    figure(
        "fsync fails", database=database, trainer="fake", done=len(fsyncs), of=len(fsyncs),
        runs=bench.sweep.runs,
    )  # fmt: skip
