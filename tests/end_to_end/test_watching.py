"""Runs seen while they train, through the command line."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

from command_line import PROGRAM, sweep
from results.errors import NoDatabaseError, UnknownSweepError
from results.queries.queries import Queries
from sweeper.home import Home
from waiting import wait_until
from warm_sweep import WarmSweep

OWN = """
name: s
trainer: reporting_trainers:waits
options: {}
grid: {seed: [0, 1]}
"""
IMAGES = """
name: s
model: zerosnet
dataset: digits
depth: 8
trainer: reporting_trainers:classifier_waits
training: {epochs: 4}
"""


def start(folder: Path, spec: str, *options: str) -> tuple[WarmSweep, Path]:
    """A `sweep run` in a process of its own, and its home."""
    (folder / "s.yaml").write_text(spec)
    home = folder / "home"
    arguments = ["run", str(folder / "s.yaml"), "--home", str(home), *options]
    return WarmSweep(arguments, folder / "output", os.environ), home


def go_on(home: Path) -> None:
    (home / "data").mkdir(exist_ok=True)
    (home / "data" / "go").touch()


def reported(home: Path) -> dict[int, list[int]]:
    """The epochs that each seed has stored so far."""
    with (
        suppress(NoDatabaseError, UnknownSweepError),
        Queries.open(Home.at(home).database) as queries,
    ):
        rows = queries.run_rows(["s"])
        return {row["seed"]: list(queries.progress_of(row["run_id"]).reported) for row in rows}
    return {}


class Terminal:
    """A `sweep` in a pseudo terminal of this size."""

    def __init__(self, arguments: list[str], columns: int, lines: int) -> None:
        self._terminal, inside = pty.openpty()
        termios.tcsetwinsize(inside, (lines, columns))
        # pytest-xdist has a width of its own, and who started the tests may ignore Control-C.
        env = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
        }
        self.process = subprocess.Popen(
            [PROGRAM, *arguments], stdin=inside, stdout=inside, stderr=inside,
            start_new_session=True, env={**env, "TERM": "xterm"},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        os.close(inside)

    def read(self, until: str = "") -> str:
        """What it shows until there is this text; or until it ends."""
        shown, deadline = "", time.monotonic() + 30
        while time.monotonic() < deadline and not (until and until in shown):
            if select.select([self._terminal], [], [], 0.1)[0]:
                try:
                    shown += os.read(self._terminal, 10_000).decode()
                except OSError:
                    break
        if until not in shown:
            self.process.kill()
        assert until in shown, shown
        return shown

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def ended(self) -> int:
        """Its exit code."""
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            os.close(self._terminal)


@pytest.fixture(scope="module")
def sweep_with_watchers(tmp_path_factory):
    """Two runs that were watched while they ran: what was seen, and their home."""
    folder = tmp_path_factory.mktemp("watched")
    driver, home = start(folder, OWN, "--executor", "inline")
    try:
        return watched(folder, home, driver), home
    finally:
        go_on(home)
        driver.wait(60)


def watched(folder: Path, home: Path, driver: WarmSweep) -> dict[str, str]:
    where = ["--home", str(home)]
    wait_until(lambda: reported(home).get(0) == [1, 2, 3])
    seen: dict[str, str] = {}
    # What is asked of running runs, and what else is asked meanwhile.
    for name, arguments in {
        "report": ["report", "s"],
        "running": ["report", "s", "--where", "state=running", "--format", "json"],
        "status": ["status", "s"],
        "plot": ["plot", "s", "training_curves", "--where", "state=running", "--metric", "loss"],
        "html": ["report", "s", "--where", "state=running", "--html", str(folder / "live.html")],
    }.items():
        said = sweep(*arguments, *where, folder=folder)
        assert said.exit_code == 0, said.stderr
        seen[name] = said.stdout
    (run,) = (row["run_id"] for row in json.loads(seen["running"]) if row["seed"] == 0)
    seen["files"] = sweep("files", run, *where, folder=folder).stderr
    follower = WarmSweep(
        ["show", run[:8], "--watch", "--every", "0.2", *where], folder / "followed", os.environ
    )
    plain = WarmSweep(["status", "--watch", "--every", "0.2", *where], folder / "plain", os.environ)
    watching = ["--watch", "--every", "0.2", *where]
    small = Terminal(["status", "s", *watching], 40, 12)
    terminal = Terminal(["status", *watching], 80, 24)
    seen["narrow"] = small.read("q ends this view")
    small.type("q")
    seen["narrow"] += small.read()
    seen["quit"] = str(small.ended())
    shown = terminal.read("q ends this view")
    wait_until(lambda: (folder / "plain").exists() and "running" in (folder / "plain").read_text())
    go_on(home)
    seen["terminal"] = shown + terminal.read()
    seen["over"] = str(terminal.ended())
    assert driver.wait(120) == 1  # seed 1 has failed
    assert (follower.wait(120), plain.wait(120)) == (0, 0)
    seen["followed"] = (folder / "followed").read_text()
    seen["plain"] = (folder / "plain").read_text()
    return seen


def test_a_report_of_running_runs_has_their_last_values(sweep_with_watchers):
    seen, _ = sweep_with_watchers
    (first,) = json.loads(seen["running"])
    assert {key: first[key] for key in ("seed", "state", "epoch", "f1")} == {
        "seed": 0, "state": "running", "epoch": 3, "f1": 0.3,
    }  # fmt: skip
    assert "0 runs; no run has a metric" in seen["report"]
    assert seen["plot"] == "figures/s/training_curves-loss.png\n"


def test_files_of_a_run_that_has_written_none_yet_are_to_come(sweep_with_watchers):
    seen, _ = sweep_with_watchers
    assert re.fullmatch(r"run [0-9a-f]{16} is running, and no file .* so far; .*\n", seen["files"])


def test_a_run_is_followed_until_it_ends(sweep_with_watchers):
    seen, _ = sweep_with_watchers
    first, *lines = seen["followed"].splitlines()
    assert re.fullmatch(r"run [0-9a-f]{16}: seed 0 \(reporting_trainers:waits\)", first)
    assert lines == [
        "epoch     1  f1 0.1  loss 1",
        "epoch     2  f1 0.2  loss 0.5",
        "epoch     3  f1 0.3  loss 0.333333",
        "epoch     4  f1 0.4  loss 0.25",
        "done",
    ]


def test_a_sweep_is_watched_in_a_terminal_until_it_is_over_or_q_is_typed(sweep_with_watchers):
    seen, _ = sweep_with_watchers
    assert (seen["quit"], seen["over"]) == ("0", "0")
    for name, width in (("narrow", 40), ("terminal", 80)):
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "\n", seen[name])
        assert max(map(len, re.split(r"[\r\n]+", text))) <= width
    assert "s: 0 of 2 done, 1 running, 1 queued" in seen["narrow"]
    last = seen["terminal"][seen["terminal"].rindex("s: ") :]
    assert last.startswith("s: 1 of 2 done, 0 running, 1 failed")
    assert "RuntimeError: after its" in last
    assert "q ends" not in last


def test_without_a_terminal_there_is_a_block_at_each_change(sweep_with_watchers):
    seen, _ = sweep_with_watchers
    blocks = seen["plain"].strip().split("\n\n2")
    assert 2 <= len(blocks) <= 5
    assert "s: 0 of 2 done, 1 running, 1 queued" in blocks[0]
    assert "s: 1 of 2 done, 0 running, 1 failed" in blocks[-1]
    assert "\x1b" not in seen["plain"]


def test_a_failed_run_keeps_its_curve_and_a_done_one_has_its_results(sweep_with_watchers, tmp_path):
    _, home = sweep_with_watchers
    assert reported(home) == {0: [1, 2, 3, 4], 1: [1, 2, 3, 4]}
    where = ("--home", str(home))
    figures = ("--output", str(tmp_path), "--metric", "f1")
    said = sweep("plot", "s", "training_curves", "--where", "state=failed", *figures, *where)
    assert said.exit_code == 0, said.stderr
    page = str(tmp_path / "page.html")
    assert sweep("report", "s", "--where", "state=failed", "--html", page, *where).exit_code == 0
    assert "image/svg+xml" in Path(page).read_text()
    (group,) = json.loads(sweep("report", "s", "--format", "json", *where).stdout)
    assert (group["runs"], group["unfinished"], group["f1_mean"]) == (1, 1, 0.5)
    archive = str(tmp_path / "s.db")
    assert sweep("export", "s", "--output", archive, *where).exit_code == 0
    other = ("--home", str(tmp_path / "other"))
    assert sweep("import", archive, *other).exit_code == 0
    assert reported(tmp_path / "other") == reported(home)
    assert sweep("delete", "s", "--results", "--yes", *other).exit_code == 0
    assert sweep("delete", "s", "--help").exit_code == 0


def test_what_is_watched_has_no_other_form(sweep_with_watchers):
    _, home = sweep_with_watchers
    where = ("--home", str(home))
    said = sweep("status", "--watch", "--format", "json", *where)
    assert said.exit_code == 2
    assert "leave out --format and --output" in said.stderr
    assert sweep("show", "f", "--watch", "--diff", "e", *where).exit_code == 2
    assert sweep("show", "f", "--metric", "f1", *where).exit_code == 2
    assert sweep("status", "--metric", "f1", *where).exit_code == 2
    # Over already: shown once.
    assert sweep("status", "--watch", *where).stdout.count("s: 1 of 2 done") == 1


@pytest.mark.slow
def test_a_classifier_is_seen_and_its_result_is_as_ever(tmp_path):
    driver, home = start(tmp_path, IMAGES, "--executor", "inline")
    wait_until(lambda: reported(home).get(0) == [1, 2])
    (row,) = json.loads(
        sweep(
            "report", "s", "--where", "state=running", "--format", "json", "--home", str(home)
        ).stdout
    )
    assert (row["epoch"], row["test_accuracy"], row["train_loss"]) == (2, 50.0, 1.0)
    go_on(home)
    assert driver.wait(120) == 0
    assert reported(home) == {0: [1, 2, 3, 4]}


@pytest.mark.slow
def test_an_interrupted_run_keeps_what_it_reported(tmp_path):
    driver, home = start(tmp_path, OWN, "--executor", "inline")
    wait_until(lambda: reported(home).get(0) == [1, 2, 3])
    driver.kill()
    driver.wait(60)
    assert reported(home)[0] == [1, 2, 3]
    go_on(home)
    again, _ = start(tmp_path, OWN.replace("[0, 1]", "[0]"), "--executor", "inline")
    assert again.wait(120) == 0
    assert reported(home) == {0: [1, 2, 3, 4]}


def test_nonsense_is_told_once_and_ends_nobody(tmp_path):
    spec = OWN.replace(":waits", ":nonsense").replace("[0, 1]", "[0]")
    driver, home = start(tmp_path, spec, "--executor", "inline")
    output = tmp_path / "output"
    refused = "is not stored before it ends"
    wait_until(lambda: output.exists() and refused in output.read_text())
    go_on(home)
    assert driver.wait(120) == 0
    said = output.read_text()
    assert said.count("values.seed is the name of something else that every run has") == 1
    assert "1 of 1 runs done" in said


@pytest.mark.ray
def test_runs_on_ray_are_seen_while_they_train(tmp_path):
    driver, home = start(tmp_path, OWN.replace("[0, 1]", "[1]"))
    try:
        wait_until(lambda: reported(home).get(1) == [1, 2, 3])
    finally:
        go_on(home)
        code = driver.wait(120)
    assert code == 1
    assert reported(home) == {1: [1, 2, 3, 4]}


@pytest.mark.slow
def test_control_c_ends_the_view_and_nothing_else(tmp_path):
    driver, home = start(tmp_path, OWN.replace("[0, 1]", "[0]"), "--executor", "inline")
    wait_until(lambda: reported(home).get(0) is not None)
    terminal = Terminal(["status", "--watch", "--home", str(home)], 80, 24)
    terminal.read("q ends this view")
    terminal.process.send_signal(signal.SIGINT)
    terminal.read()
    assert terminal.ended() == 0
    assert driver.poll() is None
    go_on(home)
    assert driver.wait(120) == 0
