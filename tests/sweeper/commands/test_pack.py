"""`sweep pack`, and what is asked of a sweep on images that were packed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from command_line import sweep
from image_files import fill
from imagenet_archives import WORDS, write_seven_classes
from trainers.data import loading

SPEC = f"""\
name: sharks
model: {{name: zerosnet, width: 4}}
depth: 8
dataset:
  name: imagenet
  size: 24
  reduce: 32
  classes: [{", ".join(WORDS)}]
  images: {{train: 14, test: 14}}
training: {{epochs: 2, batch_size: 7}}
grid: {{seed: [0, 1]}}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(loading, "_loaded", {})
    monkeypatch.chdir(tmp_path)
    write_seven_classes(tmp_path / "home/data/imagenet")
    Path("s.yaml").write_text(SPEC)
    return tmp_path / "home"


def ask(*arguments: str, code: int = 0) -> tuple[str, str]:
    done = sweep(*arguments, "--home", "home")
    assert done.exit_code == code, done.stderr + done.stdout
    return done.stdout, done.stderr


def rows(*arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(ask(*arguments, "--format", "json")[0])
    return found


def test_a_copy_is_made_once_and_can_be_checked(home: Path) -> None:
    (made,) = rows("pack", "s.yaml", "--processes", "1")
    path = Path(str(made["path"]))
    assert made["state"] == "made"
    assert (made["dataset"], made["train"], made["test"], made["classes"]) == (
        "imagenet", 14, 14, 7,
    )  # fmt: skip
    assert made["left_out"] == 0
    assert made["size"] == path.stat().st_size
    assert path.parent == home / "data"
    before = path.stat().st_mtime_ns
    (there,) = rows("pack", "s.yaml", "--check")
    assert there["state"] == "was there, checked"
    assert path.stat().st_mtime_ns == before
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    assert "is damaged: remove it, and pack again" in ask("pack", "s.yaml", "--check", code=3)[1]


@pytest.mark.usefixtures("home")
def test_it_says_how_many_damaged_images_a_copy_leaves_out() -> None:
    fill(Path("home/data/bugs"), train=12, test=6)
    for broken in ("train/ant/0.png", "train/bee/1.png", "test/cat/2.png"):
        Path("home/data/bugs", broken).write_bytes(b"no image")
    Path("b.yaml").write_text(
        "name: bugs\nmodel: {name: zerosnet, width: 4}\ndepth: 8\n"
        "dataset: {name: image_folder, folder: bugs, size: 8,"
        " mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5],"
        " images: {train: 12, test: 6}, classes: [ant, bee, cat],"
        " reduce: 12, in_memory: false, damaged: skip}\n"
    )
    said = "2 of 12 training images cannot be decoded; 1 of 6 test images cannot be decoded\n"
    for state in ("made", "was there"):
        shown, told = ask("pack", "b.yaml", "--processes", "1", "--format", "json")
        (row,) = json.loads(shown)
        assert (row["state"], row["train"], row["test"], row["left_out"]) == (state, 10, 5, 3)
        assert told.endswith(f"left out of {row['dataset']}: {said}")


def test_a_sweep_reads_it_and_reports_top5(home: Path) -> None:
    ask("pack", "s.yaml", "--processes", "1")
    (home / "data/imagenet").rename(home / "data/elsewhere")
    ask("run", "s.yaml", "--executor", "inline")
    told = json.loads(ask("report", "sharks", "--format", "json")[0])
    assert "test_top5_accuracy" in json.dumps(told)
    shown = ask("report", "sharks", "--metric", "test_top5_accuracy")[0]
    assert "test_top5_accuracy" in shown
    assert "±" in shown
    ask("plot", "sharks", "--metric", "test_top5_accuracy", "--output", "p.png")
    assert Path("p.png").stat().st_size > 0


@pytest.mark.usefixtures("home")
def test_as_many_processes_decode_as_there_are_cpus_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sweeper.executors.machine_limits.usable_cpus", lambda: 1)
    assert "by 1 process\n" in ask("pack", "s.yaml")[1]


@pytest.mark.usefixtures("home")
class TestWhatIsRefused:
    def test_a_dataset_without_the_pixels(self) -> None:
        assert "--reduce is missing" in ask("pack", "imagenet", code=2)[1]

    def test_pixels_beside_a_spec(self) -> None:
        assert (
            "what a spec reduces its images to"
            in ask("pack", "s.yaml", "--reduce", "32", code=2)[1]
        )

    def test_a_spec_that_reduces_nothing(self) -> None:
        said = ask("pack", "s.yaml", "--set", "dataset.reduce=null", code=2)[1]
        assert "no dataset here can be packed (datasets: imagenet)" in said

    def test_a_dataset_in_memory(self) -> None:
        said = ask("pack", "digits", "--reduce", "32", code=2)[1]
        assert "digits with reduce 32 alone is no dataset that can be packed" in said

    def test_no_space(self, monkeypatch: pytest.MonkeyPatch) -> None:
        usage = type("Usage", (), {"free": 10_000})
        monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
        said = ask("pack", "s.yaml", code=3)[1]
        assert "will take about" in said
        assert not [name for name in os.listdir("home/data") if name.endswith(".pack")]
