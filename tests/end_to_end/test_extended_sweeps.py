"""A sweep whose spec extends others lives on without any of their files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from command_line import sweep

BASE = """
model: zerosnet
dataset: digits
trainer: fake_trainers:raises_until_mended
training: {epochs: 2}
grid: {depth: [8, 14], seed: [0, 1]}
"""


def test_resume_needs_none_of_the_files_that_a_spec_extends(tmp_path: Path) -> None:
    specs, elsewhere = tmp_path / "specs", tmp_path / "elsewhere"
    (specs / "common").mkdir(parents=True)
    elsewhere.mkdir()
    (specs / "common" / "base.yaml").write_text(BASE)
    (specs / "one_seed.yaml").write_text("extends: common/base.yaml\nseed: 3\n")
    (specs / "child.yaml").write_text("extends: one_seed.yaml\ntraining: {batch_size: 64}\n")
    where = ("--home", str(tmp_path / "home"))
    inline = (*where, "--executor", "inline")
    for _ in range(2):
        done = sweep("run", "specs/child.yaml", *inline, folder=tmp_path)
        assert done.exit_code == 1
        assert "0 of 2 runs done" in done.stderr

    shutil.rmtree(specs)
    (tmp_path / "home" / "data").mkdir(exist_ok=True)
    (tmp_path / "home" / "data" / "repaired").touch()
    assert "2 runs queued again" in sweep("retry", "child", *where).stderr
    done = sweep("resume", *inline, folder=elsewhere)
    assert done.exit_code == 0, done.stderr
    assert "child: 2 of 2 runs done (2 trained now)" in done.stderr

    (run, _) = json.loads(
        sweep("report", "child", *where, "--group-by", "run_id", "--format", "json").stdout
    )
    detail = json.loads(sweep("show", run["run_id"], *where, "--format", "json").stdout)
    (spec,) = detail["sweep_specs"]
    assert spec["version"] == 1
    assert '--- # extended: "common/base.yaml"' in spec["text"]
    assert detail["config"]["training"]["batch_size"] == 64
