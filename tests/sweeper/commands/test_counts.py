"""What `sweep plan` and `sweep run` keep of the networks that they count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from command_line import sweep
from trainers.models import building, counting

SPEC = """\
name: counted
model: {name: zerosnet, width: 3}
depth: 8
dataset: {name: digits, subset: 64}
training: {epochs: 1}
trainer: fake_trainers:quick
seed: 0
"""


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another process, which would have to import torch to count."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("counted again")

    monkeypatch.setattr(counting, "_known", {})
    monkeypatch.setattr(building, "measure", refuse)


@pytest.mark.parametrize("command", ["plan", "run"])
def test_networks_are_counted_once_per_home(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SWEEP_NETWORKS")
    monkeypatch.setattr(counting, "_known", {})
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SPEC)
    how = ["--executor", "inline"] if command == "run" else []
    done = sweep(command, "s.yaml", "--home", "home", *how)
    assert done.exit_code == 0, done.stderr
    assert len(json.loads(Path("home/networks.json").read_text())["networks"]) == 1
    forget(monkeypatch)
    done = sweep("plan", "s.yaml", "--home", "home", "--format", "json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)[0]["parameters"] > 0


def test_several_homes_can_share_one_counts_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEP_NETWORKS", str(tmp_path / "shared.json"))
    monkeypatch.setattr(counting, "_known", {})
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SPEC)
    assert sweep("plan", "s.yaml", "--home", "one").exit_code == 0
    forget(monkeypatch)
    assert sweep("plan", "s.yaml", "--home", "two").exit_code == 0
    assert not Path("one").exists()
    assert not Path("two").exists()
