"""Options of recipes as axes of a spec and as columns of what is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import finished_home, sweep

SPEC = """
model: {name: zerosnet, width: 2}
depth: 8
dataset: {name: digits, subset: 64}
training: {epochs: 1, batch_size: 32, optimizer: adamw}
grid:
  training.optimizer.betas: [[0.9, 0.99], [0.9, 0.999]]
zip:
  training.lr_schedule: [cosine, {name: linear, by: step}]
  training.mixup: [0, 0.4]
include:
  - {training.optimizer: rmsprop, precision: fp16, training.ema_decay: 0.9}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_home(tmp_path_factory.mktemp("recipes"), SPEC)


def rows(home: Path, *arguments: str) -> list[dict[str, object]]:
    said = sweep("report", "s", "--format", "json", "--home", str(home), *arguments)
    assert said.exit_code == 0, said.stderr
    found: list[dict[str, object]] = json.loads(said.stdout)
    return found


def test_runs_are_grouped_by_options_of_their_recipes(home: Path) -> None:
    keys = [
        "training.optimizer.name", "training.optimizer.betas", "training.lr_schedule.name",
        "training.mixup", "training.ema_decay", "precision",
    ]  # fmt: skip
    found = {
        tuple(map(str, (row[key] for key in keys)))
        for row in rows(home, "--group-by", ",".join(keys))
    }
    assert found == {
        ("adamw", "[0.9, 0.99]", "cosine", "None", "None", "fp32"),
        ("adamw", "[0.9, 0.99]", "linear", "0.4", "None", "fp32"),
        ("adamw", "[0.9, 0.999]", "cosine", "None", "None", "fp32"),
        ("adamw", "[0.9, 0.999]", "linear", "0.4", "None", "fp32"),
        ("rmsprop", "None", "step", "None", "0.9", "fp16"),
    }


@pytest.mark.parametrize(
    ("where", "runs"),
    [
        ("training.mixup>0", 2),
        ("training.lr_schedule.by=step", 2),
        ("training.optimizer.name=rmsprop", 1),
        ("training.label_smoothing=null", 5),
    ],
)
def test_runs_are_found_by_options_of_their_recipes(home: Path, where: str, runs: int) -> None:
    found = rows(home, "--group-by", "model", "--where", where)
    assert [row["runs"] for row in found] == [runs]


def test_a_misspelt_option_of_a_recipe_is_an_error_of_the_spec(tmp_path: Path) -> None:
    spec = tmp_path / "s.yaml"
    spec.write_text(SPEC.replace("optimizer: adamw}", "optimizer: {name: adamw, weight_dekay: 1}}"))
    said = sweep("run", str(spec), "--executor", "inline", "--home", str(tmp_path / "home"))
    assert said.exit_code == 2
    assert f"{spec}:5:64: unknown key 'weight_dekay' in training.optimizer" in said.stderr
    assert "did you mean 'weight_decay'" in said.stderr
