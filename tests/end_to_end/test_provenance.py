"""Where a run's numbers are from: what `sweep show` says of its machine, packages and code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from command_line import sweep

TRAINER = "RATE = 1\n\n\ndef train(job):\n    job.report(1, f1=RATE * job.options['scale'])\n"
SPEC = "trainer: scaled:train\noptions: {scale: 2}\ngrid: {seed: [0, 1]}\n"


def asked(*arguments: str) -> str:
    said = sweep(*arguments)
    assert said.exit_code == 0, said.stderr
    return said.stdout


def git(*arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    return subprocess.run(
        ["git", *who, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def trained(*arguments: str) -> str:
    """The standard error of a `sweep run` that imports the trainer anew."""
    sys.modules.pop("scaled", None)
    command = ("run", "scaled.yaml", "--executor", "inline", *arguments)
    with mock.patch.object(sys, "argv", ["sweep", *command]):
        said = sweep(*command)
    assert said.exit_code == 0, said.stderr
    return said.stderr


def runs() -> list[dict[str, object]]:
    return json.loads(asked("plan", "scaled.yaml", "--format", "json"))


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A repository with a trainer and its spec."""
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    Path("scaled.py").write_text(TRAINER)
    Path("scaled.yaml").write_text(SPEC)
    Path(".gitignore").write_text(".sweep\n__pycache__\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "x")
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("scaled", None)


def test_an_attempt_has_command_commit_changes_and_packages(lab):
    Path("scaled.yaml").write_text(f"# changed\n{SPEC}")
    trained("--slots", "1")
    run = runs()[0]["run_id"]
    detail = json.loads(asked("show", run, "--format", "json"))
    (attempt,) = detail["attempt_history"]
    found = attempt["provenance"]
    assert found["command"] == "sweep run scaled.yaml --executor inline --slots 1"
    (state,) = found["repositories"]
    assert (state["repository"], state["commit"]) == (lab.name, git("rev-parse", "HEAD"))
    assert "\n+# changed\n" in state["diff"]
    assert found["packages"]["pydantic"]
    shown = asked("show", run)
    assert f"{lab.name} at {state['commit']} with changes {state['diff_sha256'][:12]}\n" in shown
    assert f"pydantic {found['packages']['pydantic']}" in shown


def differences(run: str, other: str) -> dict[str, dict[str, list[object]]]:
    found = json.loads(asked("show", run, "--diff", other, "--format", "json"))
    assert [found.pop("run"), found.pop("other")] == [run, other]
    return {
        section: {
            row["key"]: [row["run"], row["other"]]
            for row in rows
            # Commands of this test share a process, which imports ever more.
            if not row["key"].startswith("packages.")
        }
        for section, rows in found.items()
    }


def test_two_runs_are_told_apart_by_what_differs_and_nothing_else(lab):
    trained()
    first, second = (row["run_id"] for row in runs())
    assert not any(differences(first, first).values())
    found = differences(first, second)
    assert (found["config"], found["code"], found["environment"]) == ({"seed": [0, 1]}, {}, {})
    assert "f1" not in found["results"]
    commit = git("rev-parse", "HEAD")
    Path("scaled.py").write_text(TRAINER.replace("RATE = 1", "RATE = 3.0"))
    trained("--slots", "1")
    (edited,) = [row["run_id"] for row in runs() if row["seed"] == 0]
    assert edited != first
    found = differences(first, edited)
    assert found["config"] == {}
    assert found["code"].keys() == {"source", "scaled.py", f"{lab.name}.diff_sha256"}
    assert found["code"][f"{lab.name}.diff_sha256"][0] is None
    assert found["environment"].keys() == {"command"}
    assert found["results"]["f1"] == [2.0, 6.0]
    shown = asked("show", first[:12], "--diff", edited[:12])
    assert "config: the same\n\ncode\n" in shown
    assert commit not in shown


def test_a_run_that_is_not_there_is_told_apart_from_none(lab):
    trained()
    (first, _) = (row["run_id"] for row in runs())
    wrong = sweep("show", first, "--diff", "ffffffffffff")
    assert wrong.exit_code == 2
    assert "ffffffffffff" in wrong.stderr


def edit(text: str = "RATE = 3.0") -> None:
    Path("scaled.py").write_text(TRAINER.replace("RATE = 1", text))


def metric_of(run: str) -> float:
    (metric,) = json.loads(asked("show", run, "--format", "json"))["metrics"]
    return metric["value"]


def test_an_edited_trainer_is_told_with_what_it_means(lab):
    trained()
    before = {row["run_id"] for row in runs()}
    assert "edited" not in sweep("plan", "scaled.yaml").stderr
    edit()
    said = sweep("plan", "scaled.yaml").stderr
    assert re.search(
        r"^the code of trainer scaled:train was edited \(scaled.py\): 2 runs done under the earlier"
        r" code \(\w{12}, now \w{12}\) are other runs now; --same-code accepts",
        said,
        re.M,
    )
    assert "was edited (scaled.py): 2 runs done" in trained()
    after = {row["run_id"] for row in runs()}
    assert not before & after
    assert {metric_of(run) for run in after} == {6.0}
    assert "edited" not in sweep("plan", "scaled.yaml").stderr
    edit("RATE = 1")
    assert {row["run_id"] for row in runs()} == before


def test_an_edited_helper_is_told_as_its_trainer_is(lab):
    Path("scaled.py").write_text(TRAINER.replace("RATE = 1", "from rates import RATE"))
    Path("rates.py").write_text("RATE = 1\n")
    try:
        trained()
        # Of another length: the cached bytecode is known by the second and the size.
        Path("rates.py").write_text("RATE = 3  # faster\n")
        sys.modules.pop("rates")
        assert "scaled:train was edited (rates.py): 2 runs done" in trained()
        assert {metric_of(str(row["run_id"])) for row in runs()} == {6.0}
    finally:
        sys.modules.pop("rates", None)


def test_what_a_trainer_imports_and_does_not_count_is_told_before_it_runs(lab):
    hidden = "from importlib import import_module\n\nRATE = import_module('rates').RATE"
    Path("scaled.py").write_text(TRAINER.replace("RATE = 1", hidden))
    Path("rates.py").write_text("RATE = 1\n")
    said = (
        f"trainer scaled:train imports {lab}/rates.py, which does not count as its code: an edit"
        " there goes unnoticed, unless @trainer(sources=[...]) names all that counts\n"
    )
    try:
        assert said in sweep("plan", "scaled.yaml").stderr
        assert said in trained()
    finally:
        sys.modules.pop("rates", None)


def test_results_of_earlier_code_are_accepted_knowingly(lab):
    trained()
    before = {row["run_id"] for row in runs()}
    edit("RATE = 3  # faster")
    Path("scaled.yaml").write_text(SPEC.replace("[0, 1]", "[0, 1, 2]"))
    rows = json.loads(asked("plan", "scaled.yaml", "--same-code", "--format", "json"))
    assert [row["state"] for row in rows] == ["done", "done", "new"]
    said = trained("--same-code")
    assert re.search(
        r"^--same-code: results of 2 runs accepted that trainer scaled:train", said, re.M
    )
    assert "1 trained now" in said
    (new,) = {row["run_id"] for row in rows} - before
    detail = json.loads(asked("show", new, "--format", "json"))
    earlier = detail["config"]["source"]
    (real,) = detail["attempt_history"][-1]["provenance"]["sources"]
    accepted = detail["attempt_history"][-1]["provenance"]["accepted_code"]
    assert accepted == {"trainer scaled:train": real}
    assert earlier != real
    assert f"accepted_code    trainer scaled:train {real}" in asked("show", new)
    for run in before:
        (attempt,) = json.loads(asked("show", run, "--format", "json"))["attempt_history"]
        assert "accepted_code" not in attempt["provenance"]
    assert "nothing to train" in trained("--same-code")
    sys.modules.pop("scaled", None)
    again = sweep("resume", "scaled", "--executor", "inline", "--same-code")
    assert "nothing to train" in again.stderr


HALF = """import os
import signal


def train(job):
    found = job.resume()
    first = found.epoch + 1 if found else 1
    for epoch in range(first, 6):
        job.report(epoch, began_at=first)
        job.checkpoint(epoch, {})
        if epoch == 2 and os.path.exists("stop"):
            os.kill(os.getpid(), signal.SIGINT)
"""


def test_half_trained_runs_of_an_edited_trainer_are_told_and_kept(lab):
    Path("scaled.py").write_text(HALF)
    Path("stop").touch()
    assert sweep("run", "scaled.yaml", "--executor", "inline").exit_code == 130
    half, waiting = (row["run_id"] for row in runs())
    Path("scaled.py").write_text(f"{HALF}# a comment\n")
    edited = r"^the code of trainer scaled:train was edited \(scaled.py\): "
    said = sweep("plan", "scaled.yaml").stderr
    assert re.search(
        edited + r"1 run begun, 1 not begun under the earlier code \(\w{12}, now \w{12}\) are other"
        r" runs now; --same-code keeps them$",
        said,
        re.M,
    )
    planned = asked("plan", "scaled.yaml", "--same-code", "--format", "json")
    assert [(row["run_id"], row["state"]) for row in json.loads(planned)] == [
        (half, "queued"),
        (waiting, "queued"),
    ]

    # What was begun by one code is not given up for what was begun by another.
    sys.modules.pop("scaled", None)
    assert sweep("run", "scaled.yaml", "--executor", "inline").exit_code == 130
    assert "edited" not in sweep("plan", "scaled.yaml").stderr
    planned = asked("plan", "scaled.yaml", "--same-code", "--format", "json")
    assert [row["run_id"] for row in json.loads(planned)] == [row["run_id"] for row in runs()]

    Path("stop").unlink()
    Path("scaled.py").write_text(f"{HALF}# another comment\n")
    half, waiting = begun = [row["run_id"] for row in json.loads(planned)]
    planned = asked("plan", "scaled.yaml", "--same-code", "--format", "json")
    assert [row["run_id"] for row in json.loads(planned)] == begun
    sys.modules.pop("scaled", None)
    resumed = sweep("resume", "scaled", "--executor", "inline", "--same-code")
    assert resumed.exit_code == 0
    assert re.search(
        r"^--same-code: 1 run begun, 1 not begun under other code of trainer scaled:train"
        r" \(\w{12}, now \w{12}\) \(scaled.py\): kept$",
        resumed.stderr,
        re.M,
    )
    assert (metric_of(half) > 1, metric_of(waiting)) == (True, 1)
    (*_, attempt) = json.loads(asked("show", half, "--format", "json"))["attempt_history"]
    assert attempt["provenance"]["accepted_code"].keys() == {"trainer scaled:train"}
    said = sweep("plan", "scaled.yaml").stderr
    assert "was edited: 2 runs done under the earlier code" in said


def test_nothing_is_accepted_where_nothing_was_edited(lab):
    assert "accepted" not in trained("--same-code")
    assert "accepted" not in trained("--same-code")
