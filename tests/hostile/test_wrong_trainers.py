"""Trainers that are wrong in every way: each fails its own run, with a sentence, and no other."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

import databases
from command_line import sweep, sweep_process
from sweep_plugins.plain_text import visible
from warm_sweep import WarmSweep
from wrong_runs import check, details, values, with_right_ones, write_spec
from wrong_trainers import DEADLY, DONE, DONE_BY_WORKERS, SURVIVED

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(900)]


def run(folder: Path, kinds: list[str], *, on_ray: bool = False) -> tuple[int, str]:
    """The exit code of a sweep of these kinds, and what it said."""
    arguments = ["run", str(write_spec(folder, kinds)), "--home", str(folder / "home")]
    if on_ray:
        done = sweep_process(*arguments, "--slots", "2", seconds=800)
        assert "raylet" not in done.stdout
        return done.returncode, done.stderr
    log = folder / "said"
    driver = WarmSweep([*arguments, "--executor", "inline"], log, os.environ)
    return driver.wait(300), log.read_text()


def asked(home: Path, *arguments: str, code: int = 0) -> str:
    done = sweep(*arguments, "--home", str(home))
    assert done.exit_code == code, done.stderr
    assert visible(done.stdout) == done.stdout
    return done.stdout


def test_each_wrong_trainer_fails_its_own_run_inline(tmp_path: Path) -> None:
    kinds = with_right_ones([*SURVIVED, *DONE])
    code, said = run(tmp_path, kinds)
    home = tmp_path / "home"
    check(home, kinds)
    found = details(home)
    assert values(found["returns_nan_and_infinity"]) == {"score": 1.0, "loss": None}
    # Nothing that the thread reported after the end of its run.
    assert values(found["leaves_a_daemon_that_reports"]) == {"score": 1.0}
    assert not [row for row in databases.content(f"sqlite:///{home}/sweep.db")["epoch_metrics"]
                if "'late'" in row]  # fmt: skip
    assert code == 1
    assert "Traceback" not in said
    assert visible(said) == said
    for command in (("status", "wrong"), ("report", "wrong"), ("du",)):
        asked(home, *command)
    groups = json.loads(asked(home, "report", "wrong", "--format", "json"))
    assert {group["options.kind"] for group in groups} == set(kinds) - SURVIVED.keys()
    for run_id in sorted(run["run_id"] for run in details(home).values())[::8]:
        asked(home, "show", run_id)
        asked(home, "logs", run_id, "--tail", "5")


@pytest.mark.ray
def test_each_wrong_trainer_fails_its_own_run_on_ray(tmp_path: Path) -> None:
    # None of the runs that end their worker takes one along that is handed over with it.
    kinds = with_right_ones([*DEADLY, *SURVIVED, *DONE, *DONE_BY_WORKERS])
    code, said = run(tmp_path, kinds, on_ray=True)
    check(tmp_path / "home", kinds)
    assert code == 1
    assert "Traceback" not in said
    for kind, found in details(tmp_path / "home").items():
        # Of those that are lost with others none is to blame yet: no fault.
        faults = [attempt["fault"] for attempt in found["attempt_history"]]
        assert faults.count("worker_lost") == (2 if kind in DEADLY else 0)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("ends_with_0", 0),
        ("ends_with_1", 1),
        ("reads_address_0", -signal.SIGSEGV),
        ("aborts", -signal.SIGABRT),
        ("kills_itself", -signal.SIGKILL),
    ],
)
def test_an_inline_sweep_whose_process_a_run_ends_goes_on_with_the_others(
    tmp_path: Path, kind: str, code: int
) -> None:
    kinds = [kind, "right0", "right1"]
    for attempt in (1, 2, 3):
        ended, _ = run(tmp_path, kinds)
        assert ended == code
        found = details(tmp_path / "home")
        assert len(found[kind]["attempt_history"]) == attempt
        done = {name for name in kinds if found[name]["state"] == "done"}
        # From the third time on it comes last.
        assert done == ({"right0", "right1"} if attempt == 3 else set())
        assert all(values(found[name])["found_changed"] == 0 for name in done)
