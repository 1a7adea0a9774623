"""What runs write, through the command line."""

from __future__ import annotations

import json
import os
import pty
import re
import select
from pathlib import Path

import pytest

from command_line import sweep
from object_store import object_store
from results.queries.queries import Queries
from results.store.store import Store
from saved_specs import save_spec
from sweeper.home import Home
from sweeper.spec.spec import spec_from_text
from waiting import wait_until
from warm_sweep import WarmSweep

SPEC = """
name: s
model: zerosnet
dataset: digits
depth: 8
trainer: talking_trainers:{trainer}
training: {{epochs: 2}}
grid: {{seed: {seeds}}}
"""

WRITTEN = [
    "error", "raw", "from C", "from a child", "postgresql://host/db \\x1b]0;title\\x07",
]  # fmt: skip


def start(
    folder: Path, trainer: str, seeds: range, *options: str, **environment: str
) -> tuple[WarmSweep, Path]:
    """A `sweep run` in a process of its own, and the file with its output."""
    (folder / "s.yaml").write_text(SPEC.format(trainer=trainer, seeds=list(seeds)))
    output = folder / "output"
    arguments = ["run", str(folder / "s.yaml"), "--home", str(folder / "home"), *options]
    variables = {**os.environ, **environment}
    return WarmSweep([*arguments, "--executor", "inline"], output, variables), output


def runs(home: Path) -> dict[int, str]:
    with Queries.open(Home.at(home).database) as queries:
        return {run["seed"]: run["run_id"] for run in queries.run_rows()}


@pytest.fixture(scope="module")
def talked(tmp_path_factory):
    """The home of a sweep of `talks` that has been run, and what its driver said."""
    folder = tmp_path_factory.mktemp("talked")
    process, output = start(folder, "talks", range(3))
    assert process.wait(120) == 1
    return folder / "home", output.read_text()


def test_what_runs_write_is_in_their_logs_and_not_on_the_drivers_streams(talked):
    home, output = talked
    assert "print of seed" not in output
    assert "from C" not in output
    assert "s: 2 of 3 runs done" in output
    ids = runs(home)
    said = sweep("logs", ids[0][:7], "--home", str(home))
    assert said.stdout.splitlines() == ["print of seed 0", *WRITTEN]
    assert said.stderr == ""
    (file,) = (home / "runs" / ids[0] / "1").glob("log-*")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "opensesame" not in file.read_text()
    assert "\x1b" not in file.read_text()


def test_times_and_the_last_lines_are_shown_when_asked_for(talked):
    home, _ = talked
    where = (runs(home)[0], "--home", str(home))
    (line,) = sweep("logs", *where, "--timestamps", "--tail", "1").stdout.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ postgresql://host/db .*", line)
    assert sweep("logs", *where, "--tail", "0").stdout == ""
    assert len(sweep("logs", *where, "--tail", "100").stdout.splitlines()) == 6


def test_a_run_that_wrote_nothing_has_no_log_and_it_is_said(talked):
    home, _ = talked
    ids = runs(home)
    assert sorted(os.listdir(home / "runs" / ids[2] / "1")) == ["result.json"]
    said = sweep("logs", ids[2], "--home", str(home))
    assert (said.exit_code, said.stdout) == (0, "")
    assert said.stderr == f"attempt 1 of run {ids[2]} wrote nothing\n"
    (home / "runs" / ids[2] / "1" / "log-rank1-0.txt").touch()
    said = sweep("logs", ids[2], "--rank", "0", "--home", str(home))
    assert said.stderr.endswith(" nothing\nthis is rank 0; --rank shows another: 1\n")


@pytest.mark.parametrize(
    ("processes", "ranks"), [(1, "rank 0 alone"), (2, "ranks 0 and 1"), (4, "ranks 0 to 3")]
)
def test_a_rank_that_a_run_has_not_is_refused_with_those_that_it_has(tmp_path, processes, ranks):
    home = Home.at(tmp_path / "home")
    text = SPEC.replace("trainer: talking_trainers:{trainer}\n", "").format(seeds=[0])
    text = text.replace("epochs: 2", f"epochs: 2, data_parallel: {processes}")
    with Store.open(home.database) as store:
        save_spec(store, spec_from_text(text, "s.yaml"))
    (run_id,) = runs(home.folder).values()
    said = sweep("logs", run_id[:7], "--rank", "5", "--home", str(home.folder))
    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr == f"error: run {run_id} has no rank 5; it has {ranks}\n"
    said = sweep("logs", run_id, "--rank", str(processes - 1), "--home", str(home.folder))
    assert (said.exit_code, said.stderr) == (
        0, f"run {run_id} has not started yet; it is queued\n"
    )  # fmt: skip


def test_the_last_lines_of_what_failed_are_shown_with_its_error(talked):
    home, _ = talked
    ids, where = runs(home), ("--home", str(home))
    said = sweep("status", "s", *where).stderr.splitlines()
    at = said.index(next(line for line in said if "after its last words" in line))
    assert said[at + 1 : at + 4] == [f"  | {line}" for line in WRITTEN[-3:]]
    page = sweep("show", ids[1], *where).stdout
    assert "\n".join(f"  | {line}" for line in ["print of seed 1", *WRITTEN]) in page
    detail = json.loads(sweep("show", ids[1], *where, "--format", "json").stdout)
    assert detail["attempt_history"][0]["last_lines"] == ["print of seed 1", *WRITTEN]
    assert "it wrote" not in sweep("show", ids[0], *where).stdout
    html = home / "page.html"
    assert sweep("report", "s", "--html", str(html), *where).exit_code == 0
    assert f"The last lines that attempt 1 of run {ids[1]} wrote" in html.read_text()
    assert "\n".join(["print of seed 1", *WRITTEN]) in html.read_text()


def test_what_cannot_be_shown_is_said(talked, tmp_path):
    home, _ = talked
    ids, where = runs(home), ("--home", str(home))
    said = sweep("logs", ids[0], "--attempt", "3", *where)
    assert said.exit_code == 2
    assert said.stderr == f"error: run {ids[0]} has no attempt 3; it has 1\n"
    assert sweep("logs", "ffff", *where).exit_code == 2
    archive = tmp_path / "archive.db"
    assert sweep("export", "s", "--output", str(archive), *where).exit_code == 0
    other = ("--home", str(tmp_path / "other"))
    assert sweep("import", str(archive), *other).exit_code == 0
    said = sweep("logs", ids[0], *other)
    assert (said.exit_code, said.stdout) == (0, "")
    assert said.stderr == (f"run {ids[0]} came with archive.db; its log stayed where it trained\n")
    (home / "runs").rename(tmp_path / "runs")
    try:
        said = sweep("logs", ids[0], *where)
    finally:
        (tmp_path / "runs").rename(home / "runs")
    assert said.exit_code == 3
    assert said.stderr.startswith(f"error: nothing is at {home}/runs here; it trained on ")


def test_a_log_is_followed_until_its_run_ends(tmp_path):
    driver, _ = start(tmp_path, "waits", range(1))
    home = tmp_path / "home"
    wait_until(lambda: list(home.glob("runs/*/1/log-0.txt")))
    (file,) = home.glob("runs/*/1/log-0.txt")
    shown = tmp_path / "shown"
    arguments = ["logs", file.parts[-3], "--follow", "--home", str(home)]
    follower = WarmSweep(arguments, shown, os.environ)
    wait_until(lambda: shown.exists() and shown.read_text() == "begun\n")
    assert follower.poll() is None
    (home / "data").mkdir(exist_ok=True)
    (home / "data" / "go").touch()
    assert driver.wait(120) == 0
    assert follower.wait(120) == 0
    assert shown.read_text() == "begun\ngone\n"


def test_the_bar_of_a_terminal_stays_on_it_while_a_run_has_the_descriptors(tmp_path):
    terminal, end = pty.openpty()
    home = tmp_path / "home"
    (tmp_path / "s.yaml").write_text(SPEC.format(trainer="waits", seeds=[0]))
    arguments = ["run", str(tmp_path / "s.yaml"), "--executor", "inline", "--home", str(home)]
    variables = {**os.environ, "TERM": "xterm"}
    driver = WarmSweep(arguments, Path(os.ttyname(end)), variables)
    wait_until(lambda: list(home.glob("runs/*/1/log-0.txt")))
    os.set_blocking(terminal, False)
    os.read(terminal, 100_000)
    # It is drawn again, ten times a second.
    wait_until(lambda: select.select([terminal], [], [], 0)[0])
    (home / "data").mkdir(exist_ok=True)
    (home / "data" / "go").touch()
    assert driver.wait(120) == 0
    (file,) = home.glob("runs/*/1/log-0.txt")
    assert [line[21:] for line in file.read_text().splitlines()] == ["begun", "gone"]
    os.close(terminal)
    os.close(end)


def test_control_c_is_answered_on_the_drivers_stream_while_a_run_has_the_descriptors(tmp_path):
    driver, output = start(tmp_path, "is_asked_to_stop", range(1))
    assert driver.wait(120) == 130
    assert "stopping when the current epochs are done" in output.read_text()
    assert "To continue: sweep resume s" in output.read_text()
    (file,) = (tmp_path / "home").glob("runs/*/1/log-0.txt")
    assert [line[21:] for line in file.read_text().splitlines()] == ["before", "after"]


def test_a_breakpoint_gives_the_run_the_terminal_back(tmp_path):
    driver, output = start(tmp_path, "has_a_breakpoint", range(1), PYTHONBREAKPOINT="0")
    assert driver.wait(120) == 0
    assert "after\n" in output.read_text()
    assert "\nbefore\n" not in output.read_text()
    (file,) = (tmp_path / "home").glob("runs/*/1/log-0.txt")
    assert file.read_text()[21:] == "before\n"


def test_the_log_of_a_killed_driver_is_kept_and_so_is_that_of_the_lost_attempt(tmp_path):
    driver, _ = start(tmp_path, "dies_once", range(1))
    assert driver.wait(120) == -9
    home = tmp_path / "home"
    again, _ = start(tmp_path, "dies_once", range(1))
    assert again.wait(120) == 0
    (run_id,) = runs(home).values()
    where = (run_id, "--home", str(home))
    assert sweep("logs", *where).stdout == "attempt 2\n"
    assert sweep("logs", *where, "--attempt", "1").stdout == "attempt 1\nthe last words\n"
    assert sorted(os.listdir(home / "runs" / run_id / "1")) == ["log-0.txt"]
    assert sweep("show", *where).stdout.count("| the last words") == 1


@pytest.mark.slow
@pytest.mark.long
def test_a_log_is_followed_from_an_object_store(tmp_path, monkeypatch):
    with object_store() as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        driver, output = start(tmp_path, "waits", range(1), "--storage", f"{store.url}/runs")
        home = tmp_path / "home"
        wait_until(lambda: output.exists() and "1 running" in output.read_text())
        shown = tmp_path / "shown"
        arguments = ["logs", runs(home)[0], "--follow", "--home", str(home)]
        follower = WarmSweep(arguments, shown, os.environ)
        wait_until(lambda: shown.exists() and shown.read_text() == "begun\n")
        (home / "data").mkdir(exist_ok=True)
        (home / "data" / "go").touch()
        assert driver.wait(120) == 0
        assert follower.wait(120) == 0
        assert shown.read_text() == "begun\ngone\n"
        assert sweep("logs", runs(home)[0], "--home", str(home)).stdout == "begun\ngone\n"
