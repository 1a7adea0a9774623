"""A table on ImageNet compared with runs that two processes have trained, as a user asks for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import sweep
from gang_members import Run, train
from gangs import meetings, together
from imagenet_archives import WORDS, write_seven_classes
from sweeper.spec.spec import load_spec
from trainers.data import loading

SPEC = f"""\
name: sharks
published: zerosnet/table5
dataset:
  name: imagenet
  size: 32
  classes: [{", ".join(WORDS)}]
  images: {{train: 14, test: 14}}
training: {{epochs: 1, batch_size: 7, data_parallel: 2}}
model: {{name: preresnet, body: imagenet, width: 4}}
scheme: {{alpha: 1}}
depth: 18
"""


@pytest.fixture
def sharks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its run, trained without Ray, in the database of the home `home`."""
    monkeypatch.setattr(loading, "_loaded", {})
    monkeypatch.chdir(tmp_path)
    data_dir = tmp_path / "home/data"
    write_seven_classes(data_dir / "imagenet")
    Path("s.yaml").write_text(SPEC)
    (config,) = load_spec(Path("s.yaml")).configs
    folder = tmp_path / "home/runs" / config.run_id / "1"
    with meetings(1) as addresses:
        run = Run(config.to_json(), folder, data_dir=data_dir)
        ((result,), _) = together(2, train, addresses, [run])
    assert isinstance(result, dict), result
    ask("db", "rebuild", "s.yaml")


def ask(*arguments: str) -> str:
    done = sweep(*arguments, "--home", "home")
    assert done.exit_code == 0, done.stderr + done.stdout
    return done.stdout


@pytest.mark.long
@pytest.mark.usefixtures("sharks")
def test_top5_of_several_processes_is_compared_and_plotted() -> None:
    document = json.loads(ask("compare", "sharks", "--format", "json"))
    ours = {row["metric"]: row for row in document["rows"] if row["label"] == "PreResNet-18"}
    top1, top5 = ours["test_accuracy"], ours["test_top5_accuracy"]
    assert top1["state"] == top5["state"] == "compared"
    assert top1["our_mean"] <= top5["our_mean"]
    right = top5["our_mean"] * 14 / 100
    assert right == pytest.approx(round(right)), "each of the 14 images is counted once"
    assert any("processes: 2 here, 8 in the paper" in each for each in document["conditions"])
    ask("plot", "sharks", "--metric", "test_top5_accuracy", "--output", "p.png")
    assert Path("p.png").stat().st_size > 0
