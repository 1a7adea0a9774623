"""kill -9 of workers that train with somebody's own trainer, which lies beside the spec."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

import databases
from command_line import PROGRAM, sweep
from results.queries.queries import Queries
from sweeper.home import Home
from waiting import wait_until

pytestmark = pytest.mark.ray

LAYERS = """\
import random


def noise(seed, epoch):
    return random.Random(f"{seed} {epoch}").random()
"""

FIT = """\
import os
import time

from lab.layers import noise


def train(job):
    keeps, total, first = job.options["keeps"], 0.0, 1
    if keeps and (found := job.resume()):
        first, total = found.epoch + 1, found.state["total"]
    for epoch in range(first, 31):
        total = total / 2 + noise(job.seed, epoch)
        job.report(epoch, total=total)
        if keeps:
            job.checkpoint(epoch, {"total": total})
        mark = job.data_dir / f"{keeps}.new"
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(f"{os.getpid()} {epoch} {job.attempt}")
        mark.rename(job.data_dir / f"{keeps}")
        while epoch == 5 and job.attempt == 1 and (job.data_dir / "kill").exists():
            time.sleep(0.1)
    return {"last": total}
"""

SPEC = "trainer: lab.fit:train\ngrid: {options.keeps: [true, false]}\n"


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a package beside it, in a folder that is not the current one."""
    package = tmp_path / "work" / "lab"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "layers.py").write_text(LAYERS)
    (package / "fit.py").write_text(FIT)
    found = tmp_path / "work" / "own.yaml"
    found.write_text(SPEC)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return found


def measured(home: Path) -> list[object]:
    rows = databases.content(f"sqlite:///{home}/sweep.db")
    assert len(rows["epoch_metrics"]) == 60
    return [rows["metrics"], rows["epoch_metrics"]]


def test_runs_of_killed_workers_end_with_the_same_bits(spec: Path, tmp_path: Path) -> None:
    home, whole = tmp_path / "home", tmp_path / "whole"
    command = [PROGRAM, "run", str(spec), "--slots", "2", "--home", str(home)]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    marks = [home / "data" / "True", home / "data" / "False"]
    # Each waits to be killed: one may begin when the other could be over by now.
    (home / "data").mkdir(parents=True)
    (home / "data" / "kill").touch()

    def process(mark: Path) -> int:
        pid, epoch, _ = mark.read_text().split() if mark.exists() else ("0", "0", "0")
        return int(pid) if int(epoch) >= 5 else 0

    try:
        for mark in marks:
            os.kill(wait_until(partial(process, mark)), signal.SIGKILL)
        _, said = driver.communicate(timeout=240)
    finally:
        driver.kill()
    assert driver.returncode == 0, said
    done = sweep("run", str(spec), "--executor", "inline", "--home", str(whole))
    assert done.exit_code == 0, done.stderr
    assert measured(home) == measured(whole)
    with Queries.open(Home.at(home).database) as queries:
        ids = [row["run_id"] for row in queries.run_rows()]
        keeps = {queries.run_detail(i)["config"]["options"]["keeps"]: i for i in ids}
    shown = [sweep("show", keeps[kept], "--home", str(home)).stdout for kept in (True, False)]
    # A worker that was killed as well may have been given the run before that was known.
    went_on = r"^attempt [23]: done.*\n  went on at epoch \d+ from a checkpoint$"
    assert re.search(went_on, shown[0], re.M), shown[0]
    assert re.search(
        r"^attempt [23]: done.*\n  began again at epoch 1: there was no", shown[1], re.M
    )
