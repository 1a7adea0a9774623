"""`sweep plan --resolved`: the whole spec, and where each value comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import sweep
from sweeper.planning.resolved import resolved
from sweeper.settings.resolve import resolve
from sweeper.spec.shipped import shipped_specs
from sweeper.spec.spec import load_spec, spec_from_text


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", shipped_specs())
def test_a_resolved_spec_is_the_same_sweep(name):
    spec = load_spec(Path(name))
    text = resolved(spec, resolve({})).to_yaml()
    again = spec_from_text(text, "resolved.yaml")
    assert [config.run_id for config in again.configs] == [c.run_id for c in spec.configs]
    same = ("name", "description", "published", "evaluations", "resources", "faults", "file_limits")
    assert [getattr(again, key) for key in same] == [getattr(spec, key) for key in same]
    shown, _, _ = text.partition("\n# what else holds")
    assert max(map(len, shown.splitlines())) <= 80


def test_each_value_is_shown_with_where_it_comes_from():
    Path("base.yaml").write_text(
        "name: base\nmodel: zerosnet\nscheme: {lambda: 10}\ndataset: digits\n"
        "training: {epochs: 5, batch_size: 32}\ngrid:\n  depth: [8, 14]\n  seed: [0, 1]\n"
    )
    Path("child.yaml").write_text(
        "extends: base.yaml\ntraining:\n  epochs: 9\ngrid: {depth: [20]}\nscheme: {k: 1}\n"
    )
    Path("sweep.toml").write_text('home = "lab"\n')
    arguments = ("plan", "child.yaml", "--resolved", "--set", "training.optimizer.lr=0.5")
    said = sweep(*arguments, SWEEP_DB="postgresql://me:hunter2@nowhere/lab").stdout
    lines = [line.split("  # ") for line in said.splitlines()]
    origins = {line[0].strip(): line[1] for line in lines if len(line) == 2}
    assert origins["name: child"] == "the file's name"
    assert origins["name: zerosnet"] == "base.yaml:2"
    assert origins["scheme:"] == "child.yaml:5"
    assert origins["epochs: 9"] == "child.yaml:3"
    assert origins["batch_size: 32"] == "base.yaml:5"
    assert origins["lr: 0.5"] == "--set training.optimizer.lr=0.5"
    assert origins["momentum: 0.9"] == "default"
    assert origins["depth: [20]"] == "child.yaml:4"
    assert origins["seed: [0, 1]"] == "base.yaml:8"
    assert "# sweep.toml:1" in said
    assert origins["# db: postgresql://me@nowhere/lab"] == "SWEEP_DB"
    assert origins["# executor: ray"] == "default"
    assert "hunter2" not in said
    assert load_spec(Path("child.yaml"), ["training.optimizer.lr=0.5"]).configs == (
        spec_from_text(said, "again.yaml").configs
    )


def test_what_an_axis_sets_is_not_shown_beside_it():
    text = (
        "model: {name: preresnet, depth: 8}\ndataset: digits\nscheme: {alpha: 1}\n"
        "grid: {depth: [8, 14], scheme: [{alpha: 0.5}], training.optimizer.lr: [1, 2]}\n"
    )
    found = resolved(spec_from_text(text, "s.yaml"), resolve({})).spec
    assert "depth" not in found["model"]
    assert "scheme" not in found
    assert "lr" not in found["training"]["optimizer"]
    assert "momentum" in found["training"]["optimizer"]


def test_as_json_it_has_the_spec_the_origins_and_the_settings(tmp_path):
    said = sweep(
        "plan", "quickstart", "--resolved", "--format=json", "--home=h", "--set=grid.seed=[4]"
    )
    found = json.loads(said.stdout)
    assert found["spec"]["grid"]["seed"] == [4]
    assert found["origins"]["grid.seed"] == "--set grid.seed=[4]"
    assert found["origins"]["depth"].startswith("quickstart.yaml (shipped):")
    assert found["settings"]["home"] == {"value": str(tmp_path / "h"), "origin": "--home"}
    assert not Path("h").exists()
    refused = sweep("plan", "quickstart", "--resolved", "--format", "csv")
    assert refused.exit_code == 2
    assert "a resolved spec is shown as table (YAML) or json" in refused.stderr
