"""Trainers of one's own from an empty folder to a table, as docs/trainers.md shows them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import databases
from command_line import PROGRAM, sweep
from waiting import wait_until

PAGE = (Path(__file__).parents[2] / "docs" / "trainers.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)
FIT, DECLARED, RESUMED = (text for language, text in BLOCKS if language == "python")
(SPEC,) = (text for language, text in BLOCKS if language == "yaml")
SHOWN = re.findall(r"^```sh\nsweep (.*?)\n```\n\n```\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder with nothing but the example."""
    monkeypatch.chdir(tmp_path)
    Path("fit.py").write_text(FIT)
    Path("fit.yaml").write_text(SPEC)
    return tmp_path


@pytest.fixture(autouse=True)
def forget_modules():
    """Each test has modules of its own."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in ("fit", "mine"):
        sys.modules.pop(name, None)


def asked(*arguments: str) -> str:
    said = sweep(*arguments)
    assert said.exit_code == 0, said.stderr
    return said.stdout


def test_ten_lines_are_a_sweep_with_a_metric_of_their_own(lab):
    for command, shown in SHOWN:
        said = sweep(*command.split())
        assert said.exit_code == 0
        is_as_shown((said.stdout or said.stderr).splitlines(), shown.splitlines())


NUMBER = re.compile(r"\d+\.\d+")


def is_as_shown(lines: list[str], shown: list[str]) -> None:
    """But for what "..." stands for, and decimals, which other versions compute a little else."""
    assert "..." in shown or len(lines) == len(shown)
    rest = iter(lines)
    for wanted in shown:
        if wanted != "...":
            found = next((line for line in rest if masked(line) == masked(wanted)), None)
            assert found is not None, (wanted, lines)
            numbers = [list(map(float, NUMBER.findall(line))) for line in (found, wanted)]
            assert numbers[0] == pytest.approx(numbers[1], abs=2)


def masked(line: str) -> str:
    return " ".join(NUMBER.sub("0.0", line).replace("─", "").split())


def test_a_metric_is_asked_for_as_any_other(lab):
    asked("run", "fit.yaml", "--executor", "inline")
    rows = json.loads(asked("plan", "fit.yaml", "--format", "json"))
    values = {row["run_id"]: row["metrics"][0]["value"] for row in rows}
    assert [row["metrics"][0]["name"] for row in rows] == ["accuracy"] * 4
    limit = sorted(values.values())[1]
    some = json.loads(asked("report", "fit", "--where", f"accuracy>{limit}", "--format", "json"))
    assert sum(group["runs"] for group in some) == 2
    named = ("report", "fit", "--metric", "accuracy", "--group-by", "seed", "--format", "json")
    groups = json.loads(asked(*named))
    assert [group["accuracy_min"] for group in groups] == [
        min(values[row["run_id"]] for row in rows if row["seed"] == seed) for seed in (0, 1)
    ]
    by_value = json.loads(asked("report", "fit", "--group-by", "accuracy", "--format", "json"))
    assert [group["accuracy"] for group in by_value] == sorted(values.values())
    pivot = ("--rows", "options.alpha", "--columns", "seed", "--metric", "accuracy")
    cells = json.loads(asked("report", "fit", *pivot, "--format", "json"))
    assert sorted(cell["accuracy_mean"] for cell in cells) == sorted(values.values())
    shown = asked("show", rows[0]["run_id"])
    assert re.search(r"^  accuracy .*  1: \S+, 2: \S+, 3: \S+$", shown, re.M)
    wrong = sweep("report", "fit", "--metric", "acuracy")
    assert wrong.exit_code == 2
    assert "unknown metric 'acuracy'; did you mean 'accuracy'?" in wrong.stderr
    is_suggested()


def is_suggested() -> None:
    """What the sweep has, and nothing that only networks have."""
    for arguments, code, said in [
        (
            ("run", "fit.yaml", "--set", "epochs=3"),
            2,
            "unknown key 'epochs'; did you mean 'options.ep",
        ),
        (
            ("plan", "fit.yaml", "--set", "grid.rate=[1]"),
            2,
            "an axis; did you mean 'options.rate'?",
        ),
        (
            ("report", "fit", "--group-by", "alpha"),
            0,
            "value of alpha; did you mean 'options.alpha'?",
        ),
        (("report", "fit", "--where", "epochs=4"), 0, "epochs=4; did you mean 'options.epochs'?"),
        (("report", "fit", "--test", "accuracy"), 2, "two values, such as options.alpha"),
    ]:
        answer = sweep(*arguments)
        assert answer.exit_code == code
        assert said in answer.stderr
    drawn = sweep("plot", "fit", "--metric", "options.alpha")
    assert drawn.stdout == "figures/fit/accuracy_by_scheme-options.alpha.png\n"
    assert drawn.stderr == (
        "no training_curves: options.alpha is one number a run, and no epoch of these runs has an"
        " accuracy\n"
    )


def test_declared_metrics_say_what_they_are(lab):
    Path("fit.py").write_text(DECLARED)
    Path("fit.yaml").write_text("trainer: fit:train\noptions: {alpha: 0.25}\n")
    asked("run", "fit.yaml", "--executor", "inline")
    (row,) = json.loads(asked("plan", "fit.yaml", "--format", "json"))
    assert row["metrics"] == [
        {
            "name": "accuracy",
            "value": 50.25,
            "better": "higher",
            "unit": "percent",
            "decimals": 2,
            "label": None,
        }
    ]
    assert "50.25" in asked("report", "fit")
    Path("fit.yaml").write_text("trainer: fit:train\noptions: {alhpa: 0.25}\n")
    wrong = sweep("run", "fit.yaml", "--executor", "inline")
    assert wrong.exit_code == 2
    assert "fit.yaml:2:11: trainer fit:train has no option 'alhpa'" in wrong.stderr


SLOW = "import time\n\n" + RESUMED.replace(
    "        job.report(", "        time.sleep(0.05)\n        job.report("
)


def killed_and_finished(code: str) -> tuple[list[object], str]:
    """The metrics of a run whose driver is killed and started again, and what `show` says of it."""
    Path("mine.py").write_text(code)
    Path("mine.yaml").write_text("trainer: mine:train\noptions: {epochs: 40}\n")
    command = [PROGRAM, "run", "mine.yaml", "--executor", "inline", "--home", "killed"]
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: Path("said").exists() and "epoch 12" in Path("said").read_text())
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    asked("run", "mine.yaml", "--executor", "inline", "--home", "killed")
    rows = databases.content("sqlite:///killed/sweep.db")
    (run,) = json.loads(asked("plan", "mine.yaml", "--home", "killed", "--format", "json"))
    shown = asked("show", run["run_id"], "--home", "killed")
    return [rows["metrics"], rows["epoch_metrics"]], shown


def telling(code: str) -> str:
    """The trainer, which also says in a file how far it is."""
    return code.replace(
        "        job.report(",
        "        open('said', 'w').write(f'epoch {epoch}')\n        job.report(",
    )


def undisturbed(code: str) -> list[object]:
    sys.modules.pop("mine", None)
    Path("mine.py").write_text(code)
    asked("run", "mine.yaml", "--executor", "inline", "--home", "whole")
    rows = databases.content("sqlite:///whole/sweep.db")
    assert len(rows["epoch_metrics"]) == 40
    return [rows["metrics"], rows["epoch_metrics"]]


def test_a_trainer_that_keeps_checkpoints_goes_on_to_the_same_bits(lab):
    code = telling(SLOW)
    found, shown = killed_and_finished(code)
    assert found == undisturbed(code)
    assert re.search(r"^attempt 2: done.*\n  went on at epoch 1\d from a checkpoint$", shown, re.M)


@pytest.mark.long
def test_a_trainer_that_keeps_none_starts_again_and_says_so(lab):
    code = telling(re.sub(r" +(if found|first, weights =|job.checkpoint).*\n", "", SLOW))
    found, shown = killed_and_finished(code)
    assert found == undisturbed(code)
    assert re.search(r"^attempt 2: done.*\n  began again at epoch 1: there was no", shown, re.M)


FAILING = """
def train(job):
    if job.options["alpha"] > 1:
        raise ValueError("alpha is too large")
    job.report(1, f1=job.options["alpha"])
"""


def test_runs_that_failed_are_listed_and_versions_of_code_told_apart(lab):
    Path("mine.py").write_text(FAILING)
    Path("mine.yaml").write_text("trainer: mine:train\ngrid: {options.alpha: [0.5, 1, 2]}\n")
    assert sweep("run", "mine.yaml", "--executor", "inline").exit_code == 1
    assert "2 runs; mean ± std (n-1); PARTIAL: 1 failed and left out" in asked("report", "mine")
    (failed,) = json.loads(asked("report", "--where", "state=failed", "--format", "json"))
    assert (failed["options.alpha"], failed["error"]) == (2, "ValueError: alpha is too large")
    wrong = sweep("show", "zz")
    assert "'sweep report --group-by run_id' lists them" in wrong.stderr
    listed = json.loads(asked("report", "--group-by", "run_id,state", "--format", "json"))
    assert sorted((g["state"], g["runs"]) for g in listed) == [
        ("done", 1), ("done", 1), ("failed", 0)
    ]  # fmt: skip
    assert failed["run_id"] in [group["run_id"] for group in listed]

    Path("mine.py").write_text(f"{FAILING}# edited\n")
    sys.modules.pop("mine")
    assert sweep("run", "mine.yaml", "--executor", "inline").exit_code == 1
    by_alpha = ("report", "--group-by", "options.alpha")
    assert asked(*by_alpha).endswith(
        "groups mix 2 versions of the trainer's code: add --group-by source\n"
    )
    groups = json.loads(asked(*by_alpha, "--format", "json"))
    assert [group["code_versions"] for group in groups] == [2, 2]
    told_apart = asked(*by_alpha, "--group-by", "source")
    assert "versions" not in told_apart
    digests = set(re.findall(r" ([0-9a-f]{12}) ", told_apart))
    assert len(digests) == 2
    for digest in digests:
        assert "2 runs;" in asked(*by_alpha, "--where", f"source={digest[:7]}")
