"""Real processes, really killed: the same command finishes the sweep, to the bit.

Through the console script, Ray and SQLite, with the real trainer on real images.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

SWEEP = str(Path(sys.executable).parent / "sweep")

SPEC = """
name: interrupted
model: zerosnet
depth: 8
dataset: {name: digits, subset: 512}
training: {epochs: 40, batch_size: 64}
grid:
  scheme: [{alpha: [1, 1, 1], beta: 1}, {lambda: -9/5}]
  seed: [0, 1]
evaluations:
  - {noise: gaussian, std: 0.2}
"""

pytestmark = pytest.mark.timeout(600)


class Driver:
    """One `sweep run` in a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.spec = home.parent / "interrupted.yaml"
        self.spec.write_text(SPEC)
        self.log = open(home.parent / f"driver-{time.monotonic_ns()}.log", "w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [SWEEP, "run", str(self.spec), "--home", str(home), "--slots", "2"],
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Until it holds, while the driver lives."""
        while not condition():
            if self.process.poll() is not None:
                raise AssertionError(f"the driver ended too early:\n{self.output()}")
            time.sleep(0.02)

    def some_run_is_half_trained(self) -> bool:
        """A checkpoint of some epoch, and no result beside it yet."""
        for checkpoint in self.home.glob("runs/*/*/checkpoint-*.pt.sha256"):
            if int(checkpoint.name.split("-")[1].split(".")[0]) >= 3:
                return not (checkpoint.parent / "result.json").exists()
        return False

    def some_run_is_done(self) -> bool:
        return any(self.home.glob("runs/*/*/result.json"))

    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def workers(self) -> list[psutil.Process]:
        return [child for child in self.children() if "_Slot" in _title(child)]

    def end(self) -> int:
        return self.process.wait(timeout=300)

    def output(self) -> str:
        self.log.flush()
        return Path(self.log.name).read_text()


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=60)


def _sweep(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SWEEP, *arguments], capture_output=True, text=True, timeout=300)


def report(home: Path) -> Any:
    done = _sweep(
        "report", "interrupted", "--home", str(home), "--group-by", "zero_stable,seed",
        "--format", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def details(home: Path) -> dict[str, dict[str, Any]]:
    from results.queries import Queries

    with Queries.open(f"sqlite:///{home / 'sweep.db'}") as queries:
        return {
            row["run_id"]: queries.run_detail(row["run_id"])
            for row in queries.run_rows(["interrupted"])
        }


def facts(detail: dict[str, Any]) -> dict[str, Any]:
    """What must be the same to the bit however the run came about."""
    epochs = [{k: v for k, v in e.items() if k != "seconds"} for e in detail["epoch_history"]]
    keys = ("weights_sha256", "test_accuracy", "train_accuracy", "test_loss", "evaluations")
    return {**{key: detail[key] for key in keys}, "epochs": epochs}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    driver = Driver(home)
    assert driver.end() == 0, driver.output()
    return home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def finish(home: Path, undisturbed: Path) -> dict[str, dict[str, Any]]:
    """The same command again; everything must then be as if nothing had happened."""
    stored = {path.parent.parent.name for path in home.glob("runs/*/*/result.json")}
    done_before = {
        run_id: detail["attempts"]
        for run_id, detail in details(home).items()
        if detail["state"] == "done" or run_id in stored
    }
    driver = Driver(home)
    assert driver.end() == 0, driver.output()
    after = details(home)
    for run_id, attempts in done_before.items():
        assert after[run_id]["attempts"] == attempts, "a finished run was trained again"
    assert report(home) == report(undisturbed)
    expected = details(undisturbed)
    assert {i: facts(d) for i, d in after.items()} == {i: facts(d) for i, d in expected.items()}
    return after


def went_on_from_a_checkpoint(after: dict[str, dict[str, Any]]) -> bool:
    return any(
        (attempt["first_epoch"] or 1) > 1
        for detail in after.values()
        for attempt in detail["attempt_history"]
    )


def test_control_c(home: Path, undisturbed: Path) -> None:
    driver = Driver(home)
    driver.wait_until(driver.some_run_is_half_trained)
    driver.process.send_signal(signal.SIGINT)
    assert driver.end() == 130
    assert "To go on: sweep resume interrupted" in driver.output()
    assert "Traceback" not in driver.output()
    assert {d["state"] for d in details(home).values()} <= {"queued", "done"}
    assert went_on_from_a_checkpoint(finish(home, undisturbed))


def test_sigterm(home: Path, undisturbed: Path) -> None:
    driver = Driver(home)
    driver.wait_until(driver.some_run_is_done)
    driver.process.terminate()
    assert driver.end() == 130
    finish(home, undisturbed)


def test_kill_9_of_the_driver(home: Path, undisturbed: Path) -> None:
    driver = Driver(home)
    driver.wait_until(driver.some_run_is_half_trained)
    family = driver.children()
    os.kill(driver.process.pid, signal.SIGKILL)
    driver.end()
    try:
        # Its workers may live on for a while: their runs are adopted, or go on from a checkpoint.
        finish(home, undisturbed)
    finally:
        # Ray's own processes may outlive a driver that had no time to stop them.
        _kill(family)


def test_kill_9_of_a_worker(home: Path, undisturbed: Path) -> None:
    driver = Driver(home)
    driver.wait_until(driver.some_run_is_half_trained)
    victims = driver.workers()
    assert victims
    _kill(victims)
    assert driver.end() == 0, driver.output()
    assert "lost the worker" in driver.output()
    after = finish(home, undisturbed)
    assert went_on_from_a_checkpoint(after)
    states = {a["state"] for d in after.values() for a in d["attempt_history"]}
    assert states == {"lost", "done"}


def test_resume_needs_no_file(home: Path, undisturbed: Path) -> None:
    driver = Driver(home)
    driver.wait_until(driver.some_run_is_done)
    driver.process.send_signal(signal.SIGINT)
    driver.end()
    driver.spec.unlink()
    done = _sweep("resume", "--home", str(home), "--executor", "inline")
    assert done.returncode == 0, done.stderr
    # One process or two, Ray or not: the same bits.
    assert report(home) == report(undisturbed)
    finish(home, undisturbed)


def test_running_a_finished_sweep_says_so(undisturbed: Path) -> None:
    before = details(undisturbed)
    spec = undisturbed.parent / "interrupted.yaml"
    done = _sweep("run", str(spec), "--home", str(undisturbed))
    assert done.returncode == 0
    assert "4 of 4 runs done already; nothing to train" in done.stderr
    assert done.stdout == ""
    assert details(undisturbed) == before
