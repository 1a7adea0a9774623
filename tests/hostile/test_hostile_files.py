"""Files of runs whose processes are killed, and of trainers that write without measure."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from command_line import sweep
from object_store import object_store
from waiting import wait_until
from warm_sweep import WarmSweep

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(280)]

WRITES = """
import time
from pathlib import Path


def train(job):
    first = 1
    if found := job.resume():
        first = found.epoch + 1
    for epoch in range(first, 31):
        # Half of it, for as long as it takes to be killed.
        with open(job.files / "table.csv", "a") as table:
            table.write(f"{epoch},")
            table.flush()
            time.sleep(job.options["seconds"])
            table.write(f"{epoch ** 2}\\n")
        (job.files / "epochs").mkdir(exist_ok=True)
        (job.files / "epochs" / f"{epoch}.txt").write_text(f"epoch {epoch}")
        job.report(epoch, square=epoch ** 2)
        if epoch % 3 == 0:
            job.checkpoint(epoch, {"epoch": epoch})
        Path("said").write_text(str(epoch))
"""

SPEC = "trainer: mine:train\noptions: {seconds: 0.05}\n"


@pytest.fixture(params=["path", "s3://"])
def storage(request, tmp_path, monkeypatch) -> Iterator[list[str]]:
    """Options that name a storage; none is the home's."""
    with ExitStack() as stack:
        if request.param == "path":
            yield []
            return
        store = stack.enter_context(object_store())
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        yield ["--storage", f"{store.url}/runs"]


def run_of(home: str, *options: str) -> str:
    rows = sweep("plan", "mine.yaml", "--home", home, "--format", "json")
    (row,) = json.loads(rows.stdout)
    assert row["state"] == "done"
    return str(row["run_id"])


def test_a_killed_run_that_goes_on_keeps_the_same_files(tmp_path, monkeypatch, storage):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(WRITES)
    Path("mine.yaml").write_text(SPEC)
    command = ["run", "mine.yaml", "--executor", "inline", "--home", "killed", *storage]
    for epoch in (8, 17):
        driver = WarmSweep(command, tmp_path / "output", os.environ)
        wait_until(lambda: Path("said").exists() and int(Path("said").read_text() or 0) >= epoch)  # noqa: B023
        driver.send_signal(signal.SIGKILL)
        assert driver.wait(60) == -9
    last = WarmSweep(command, tmp_path / "output", os.environ)
    assert last.wait(120) == 0, (tmp_path / "output").read_text()
    whole = ["run", "mine.yaml", "--executor", "inline", "--home", "whole"]
    assert WarmSweep(whole, tmp_path / "output", os.environ).wait(120) == 0
    run_id = run_of("killed")
    found = [
        json.loads(sweep("files", run_id, "--home", home, "--format", "json").stdout)
        for home in ("killed", "whole")
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 31
    fetched = sweep("files", run_id, "--output", "out", "--home", "killed")
    assert fetched.exit_code == 0, fetched.stderr
    assert Path("out/table.csv").read_text() == "".join(f"{n},{n**2}\n" for n in range(1, 31))
    shown = sweep("show", run_id, "--home", "killed").stdout
    assert "attempt 3: done" in shown
    assert "went on at epoch 16 from a checkpoint" in shown
    if not storage:
        left = {
            path.name
            for path in (tmp_path / "killed" / "runs" / run_id).glob("*/*")
            if not path.name.startswith(("log-", "file-"))
        }
        assert left == {"result.json"}


MEASURELESS = """
import os


def train(job):
    with open(job.files / "sparse", "wb") as file:
        file.truncate(2 ** 40)
    (job.files / "many").mkdir()
    for number in range(20_000):
        os.close(os.open(job.files / "many" / str(number), os.O_CREAT))
    deep = os.open(job.files, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("deep", dir_fd=deep)
        below = os.open("deep", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(os.open("file", os.O_CREAT, dir_fd=deep))
    os.close(deep)
    (job.files / "devices").symlink_to("/dev")
    (job.files / "loop").symlink_to(job.files)
    job.report(1, f1=1.0)
"""


def test_a_trainer_that_writes_without_measure_ends_with_what_fits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MEASURELESS)
    Path("mine.yaml").write_text("trainer: mine:train\nfiles: {max_count: 50}\n")
    command = ["run", "mine.yaml", "--executor", "inline", "--home", "home"]
    assert WarmSweep(command, tmp_path / "output", os.environ).wait(200) == 0
    run_id = run_of("home")
    listed = sweep("files", run_id, "--home", "home", "--format", "json")
    files = json.loads(listed.stdout)
    assert len(files) == 50
    assert all(file["path"].startswith("many/") and file["size"] == 0 for file in files)
    told = listed.stderr.splitlines()
    assert len(told) == 21
    assert told[-1] == "not kept: and 19,934 more"
    assert "not kept: devices: it is a symbolic link" in told
    folder = tmp_path / "home" / "runs" / run_id / "1"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 100_000
    assert not (folder / "files").exists()
