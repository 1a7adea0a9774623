"""Values of probes and learned blocks, from a trainer's result to everything that shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import Result

from command_line import sweep

SPEC = """
name: {name}
model: zerosnet
depth: 32
dataset: digits
trainer: probing_trainers:{trainer}
training: {{epochs: 2}}
grid:
  scheme: [{{alpha: [1, 1, 1], beta: 1}}, {{lambda: -9/5}}]
  seed: [0, 1]
"""


def train(folder: Path, name: str, trainer: str) -> Result:
    (folder / f"{name}.yaml").write_text(SPEC.format(name=name, trainer=trainer))
    home = str(folder / "home")
    return sweep("run", str(folder / f"{name}.yaml"), "--executor", "inline", "--home", home)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of two sweeps: one with probes, one whose blocks learn."""
    folder = tmp_path_factory.mktemp("probed")
    for name, trainer in (("probed", "probing"), ("learning", "learning")):
        done = train(folder, name, trainer)
        assert done.exit_code == 0, done.stderr
    return folder / "home"


def runs_of(home: Path, name: str) -> list[dict[str, object]]:
    found = sweep(
        "report", name, "--group-by", "run_id,seed,zero_stable", "--format", "json",
        "--home", str(home),
    )  # fmt: skip
    assert found.exit_code == 0, found.stderr
    rows: list[dict[str, object]] = json.loads(found.stdout)
    return rows


def show(home: Path, name: str, *options: str) -> str:
    run_id = str(runs_of(home, name)[0]["run_id"])
    shown = sweep("show", run_id, "--home", str(home), *options)
    assert shown.exit_code == 0, shown.stderr
    return shown.stdout


def test_show_prints_the_last_values_of_a_runs_probes(home: Path) -> None:
    page = show(home, "probed").split("\nprobes (", 1)[1].split("\n\n")[0].splitlines()
    assert page[0] == "of the last epoch; 37 values in all)"
    assert page[1].split() == ["probe", "quantity", "epoch", "layer", "value"]
    cells = [line.split() for line in page[2:-1]]
    assert [row[3] for row in cells[:15]] == [f"block{block}" for block in range(1, 16)]
    assert {row[2] for row in cells[:17]} == {"2"}
    assert cells[-1] == ["runtime", "train_seconds[128]", "0", "-", "-"]
    assert "--format json" in page[-1]


def test_show_prints_what_the_blocks_of_a_run_learned(home: Path) -> None:
    page = show(home, "learning").split("\nblocks (", 1)[1].split("\n\n")[0].splitlines()
    assert [line.split() for line in page[2:]] == [
        ["1", "0.75,", "0.25", "1", "1,", "0.25", "yes", "no", "0"],
        ["2", "-,", "0.5", "-", "-", "-", "-", "-"],
    ]
    assert "\nprobes (" not in show(home, "learning")


@pytest.mark.slow
def test_show_json_has_every_probe_value(home: Path) -> None:
    detail = json.loads(show(home, "probed", "--format", "json"))
    assert len(detail["probes"]) == 37
    assert set(detail["probes"][0]) == {"probe", "quantity", "epoch", "layer", "value"}
    assert detail["blocks"] == []
    blocks = json.loads(show(home, "learning", "--format", "json"))["blocks"]
    assert [block["alpha"] for block in blocks] == [[0.75, 0.25], [None, 0.5]]


@pytest.mark.slow
def test_plot_draws_chosen_probes(home: Path, tmp_path: Path) -> None:
    arguments = ("plot", "probed", "probes", "--home", str(home), "--output", str(tmp_path))
    for more in ((), ("--quantity", "within"), ("--layer", "block7", "--layer", "block15")):
        done = sweep(*arguments, "--format", "svg", *more)
        assert done.exit_code == 0, done.stderr
        text = (tmp_path / "probes.svg").read_text()
        assert ("feature_norms" in text) == ("within" not in more)
        assert ("principal_angles" in text) == ("block7" not in more)
    refused = sweep(*arguments, "--layer", "block99")
    assert refused.exit_code == 2
    assert "--layer 'block99': no probe measured it (known: 'block1'" in refused.stderr
    learning = sweep("plot", "learning", "probes", "--home", str(home), "--output", str(tmp_path))
    assert "no done run has values of probes" in learning.stderr


def test_an_archive_keeps_probe_values(home: Path, tmp_path: Path) -> None:
    archive, other = str(tmp_path / "archive"), tmp_path / "other"
    assert sweep("export", "--output", archive, "--home", str(home)).exit_code == 0
    assert sweep("import", archive, "--home", str(other)).exit_code == 0
    for name in ("probed", "learning"):
        here, there = (json.loads(show(place, name, "--format", "json")) for place in (home, other))
        assert (here["probes"], here["blocks"]) == (there["probes"], there["blocks"])


@pytest.mark.slow
def test_a_probe_value_reported_twice_fails_the_run_with_its_place(tmp_path: Path) -> None:
    done = train(tmp_path, "twice", "repeating")
    assert done.exit_code == 1
    said = done.stderr + done.stdout
    assert "is malformed: probes[" in said
    assert "a second time" in said
