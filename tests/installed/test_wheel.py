"""What a user has who installed the package and has no checkout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweeper.spec.spec import load_spec

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

SHIPPED = {path.stem: path for path in (ROOT / "specs").glob("*.yaml")}


def test_installed_modules_come_from_the_wheel(installed, tmp_path):
    code = (
        "import multistep_sweep, results, sweep_plugins, sweeper, trainers\n"
        "for m in (multistep_sweep, results, sweep_plugins, sweeper, trainers): print(m.__file__)"
    )
    done = installed.run("python", "-c", code, folder=tmp_path)
    files = done.stdout.splitlines()
    assert len(files) == 5
    assert all(Path(file).is_relative_to(installed.bin.parent) for file in files)


def test_the_wheel_has_licence_metadata_and_type_markers(installed, tmp_path):
    code = (
        "from importlib.metadata import metadata, files\n"
        "m = metadata('multistep-sweep')\n"
        "print(m['License-Expression'], *m.get_all('License-File'))\n"
        "print(*sorted(str(f) for f in files('multistep-sweep') if f.name == 'py.typed'))"
    )
    done = installed.run("python", "-c", code, folder=tmp_path)
    assert done.stdout.splitlines() == [
        "Apache-2.0 LICENSE",
        "results/py.typed sweep_plugins/py.typed sweeper/py.typed trainers/py.typed",
    ]


def test_the_installed_command_works_in_an_empty_folder(installed, tmp_path):
    assert "sweep" in installed.sweep("--help", folder=tmp_path).stdout
    listed = json.loads(installed.sweep("specs", "--format", "json", folder=tmp_path).stdout)
    assert {spec["name"] for spec in listed} == set(SHIPPED)
    assert list(tmp_path.iterdir()) == []

    done = installed.sweep("init", "here", folder=tmp_path)
    written = {path.stem: path.read_text() for path in (tmp_path / "here").iterdir()}
    assert written == {name: path.read_text() for name, path in SHIPPED.items()}
    (next_one,) = [line for line in done.stderr.splitlines() if line.startswith("next: ")]
    program, *arguments = next_one.removeprefix("next: ").split()

    planned = [
        json.loads(installed.sweep(*words, "--format", "json", folder=tmp_path).stdout)
        for words in (["plan", "quickstart"], arguments)
    ]
    assert program == "sweep"
    assert planned[0] == planned[1]
    configs = load_spec(SHIPPED["quickstart"]).configs
    assert [run["run_id"] for run in planned[0]] == [config.run_id for config in configs]


def test_the_quickstart_runs_from_the_installed_wheel(installed, tmp_path):
    few = ["grid.scheme=[{lambda: 10}, {lambda: 1/4}]", "seed=0", "depth=8", "training.epochs=1"]
    changes = [word for change in few for word in ("--set", change)]
    run = ["run", "quickstart", "--executor", "inline", *changes]
    assert "2 trained now" in installed.sweep(*run, folder=tmp_path).stderr
    report = ["report", "quickstart", "--group-by", "zero_stable,run_id", "--format", "json"]
    groups = json.loads(installed.sweep(*report, folder=tmp_path).stdout)
    assert [(group["zero_stable"], group["runs"]) for group in groups] == [(False, 1), (True, 1)]

    show = ["show", groups[0]["run_id"], "--format", "json"]
    shown = json.loads(installed.sweep(*show, folder=tmp_path).stdout)
    (spec,) = shown["sweep_specs"]
    assert (spec["name"], spec["source"]) == ("quickstart", "quickstart.yaml (shipped)")
    resumed = installed.sweep("resume", "--executor", "inline", folder=tmp_path)
    assert "nothing to train" in resumed.stderr
