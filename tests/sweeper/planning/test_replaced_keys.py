"""What plans say of keys that an axis of the same file replaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import sweep
from sweeper.planning.replaced_keys import replaced_keys
from sweeper.spec.shipped import shipped_specs
from sweeper.spec.spec import load_spec, spec_from_text

BASE = "model: zerosnet\ndataset: digits\ndepth: 20\n"


def said_of(text: str, *overrides: str) -> str | None:
    return replaced_keys(spec_from_text(BASE + text, "s.yaml", overrides).merged)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 3\ngrid: {seed: [0, 1]}\n", "seed at s.yaml:4:1 by that at s.yaml:5:8"),
        ("seed: 3\nzip: {seed: [0, 1]}\n", "seed at s.yaml:4:1 by that at s.yaml:5:7"),
        ("seed: 3\nzip: [{seed: [0, 1]}]\n", "seed at s.yaml:4:1 by that at s.yaml:5:8"),
        ("grid: {depth: [20, 32]}\n", "depth at s.yaml:3:1 by that at s.yaml:4:8"),
        ("grid: {model.depth: [20, 32]}\n", "depth at s.yaml:3:1 by that at s.yaml:4:8"),
        ("grid: {model: [zerosnet]}\n", "model at s.yaml:1:1 by that at s.yaml:4:8"),
        (
            "training: {optimizer: {lr: 1}}\ngrid: {training.optimizer.lr: [1, 2]}\n",
            "training.optimizer.lr at s.yaml:4:24 by that at s.yaml:5:8",
        ),
    ],
)
def test_a_key_beside_its_axis_is_told_with_both_places(text, said):
    assert said_of(text) == f"an axis replaces what is set beside it: {said}"


@pytest.mark.parametrize(
    "text",
    [
        "seed: 3\n",
        "seed:\ngrid: {seed: [0, 1]}\n",
        "grid: {scheme: [{k: 1}]}\n",
        "seed: 3\ngrid: {seed: [0, 1]}\ninclude: [{depth: 32}]\n",
    ],
)
def test_a_key_that_counts_is_not_told(text):
    assert said_of(text) is None


def test_an_axis_of_the_command_line_is_there_to_replace_a_key():
    assert said_of("seed: 3\n", "grid.seed=[0, 1]") is None
    assert said_of("grid: {seed: [0, 1]}\n", "seed=3") is None


def test_an_axis_of_another_file_is_there_to_replace_a_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(BASE + "seed: 3\n")
    Path("child.yaml").write_text("extends: base.yaml\ngrid: {seed: [0, 1]}\n")
    assert replaced_keys(load_spec(Path("child.yaml")).merged) is None
    Path("base.yaml").write_text(BASE + "seed: 3\ngrid: {seed: [0, 1]}\n")
    Path("child.yaml").write_text("extends: base.yaml\n")
    said = sweep("plan", "child.yaml")
    assert said.exit_code == 0
    assert "beside it: seed at base.yaml:4:1 by that at base.yaml:5:8\n" in said.stderr


def test_shipped_specs_set_nothing_in_vain():
    said = {name: replaced_keys(load_spec(Path(name)).merged) for name in shipped_specs()}
    assert {name: sentence for name, sentence in said.items() if sentence} == {}
