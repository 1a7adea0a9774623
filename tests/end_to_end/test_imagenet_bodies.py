"""The spec of networks for ImageNet's images in docs/models.md, planned, and trained narrow."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from command_line import finished_home, sweep

PAGE = (Path(__file__).parents[2] / "docs/models.md").read_text()
(SPEC,) = re.findall(r"```yaml\n(name: imagenet_bodies\n.*?)```", PAGE, re.S)


def test_the_networks_for_imagenet_in_the_docs_are_planned(tmp_path: Path) -> None:
    (tmp_path / "bodies.yaml").write_text(SPEC)
    said = sweep("plan", "bodies.yaml", "--format", "json", "--home", "home", folder=tmp_path)
    assert said.exit_code == 0, said.stderr
    names = {row["model"]: row["parameters"] for row in json.loads(said.stdout)}
    assert names.keys() == set(re.findall(r"\{name: (\w+)", SPEC))
    # For one channel and ten classes: 2 * 49 * 64 weights and 990 * 2,049 fewer than torchvision's.
    assert names["resnet"] == 25_557_032 - 6_272 - 2_028_510


@pytest.mark.slow
def test_narrow_ones_train_and_are_stored(tmp_path: Path) -> None:
    narrow = SPEC.replace("dataset: digits", "dataset: {name: digits, subset: 32}")
    narrow = re.sub(r"depth: \d+", "depth: 18, width: 4", narrow)
    home = finished_home(tmp_path, narrow + "training: {epochs: 1, batch_size: 32}\n")
    said = sweep("plan", str(tmp_path / "s.yaml"), "--format", "json", "--home", str(home))
    rows = json.loads(said.stdout)
    assert len(rows) == 6
    assert {row["state"] for row in rows} == {"done"}
    assert all(row["test_accuracy"] is not None for row in rows)
