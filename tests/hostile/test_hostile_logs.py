"""Runs that write without end, or anything: they end, and what is kept is bounded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from command_line import sweep
from sweep_plugins.plain_text import visible
from sweeper.logs.files import HEAD_BYTES, TAIL_FILE_BYTES
from warm_sweep import WarmSweep

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(280)]

SPEC = """
name: s
model: zerosnet
dataset: digits
depth: 8
trainer: talking_trainers:never_ends_to_talk
training: {epochs: 1}
grid: {seed: [0, 1, 2, 3]}
"""


def test_a_gigabyte_of_output_costs_a_bounded_part_of_disk_and_memory(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SPEC)
    home = tmp_path / "home"
    arguments = ["run", str(tmp_path / "s.yaml"), "--executor", "inline", "--home", str(home)]
    driver = WarmSweep(arguments, tmp_path / "output", os.environ)
    assert driver.wait(240) == 0
    folders = sorted(home.glob("runs/*/1"))
    assert len(folders) == 4
    for folder in folders:
        logs = list(folder.glob("log-*.txt"))
        assert logs
        assert sum(log.stat().st_size for log in logs) <= HEAD_BYTES + 2 * TAIL_FILE_BYTES
        said = sweep("logs", folder.parent.name, "--home", str(home))
        assert said.exit_code == 0
        assert said.stdout.endswith("the end\n")
        assert visible(said.stdout) == said.stdout
        assert "left out ...]" in said.stdout
