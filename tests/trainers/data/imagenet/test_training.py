"""Training on ILSVRC2012's formats: the same bits wherever the images are read from."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest

from imagenet_archives import DEVKIT, TRAIN, VAL, WORDS, write_seven_classes
from trainers.config.dataset import parse_dataset
from trainers.config.job import TOP5
from trainers.data import loading
from trainers.data.packed.writing import write_pack
from trainers.run import evaluate_stored, run
from trainers.storage import open_folder

DATASET = {
    "name": "imagenet",
    "size": 24,
    "reduce": 32,
    "classes": list(WORDS),
    "images": {"train": 14, "test": 14},
}
CONFIG = {
    "model": {"name": "zerosnet", "depth": 8, "width": 8},
    "dataset": DATASET,
    "training": {"epochs": 2, "batch_size": 5},
    "seed": 0,
}


@pytest.fixture(autouse=True)
def _nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_loaded", {})


def trained(data: Path, monkeypatch: pytest.MonkeyPatch, **where: Any) -> dict[str, Any]:
    monkeypatch.setattr(loading, "_loaded", {})
    return run(CONFIG, data_dir=data, workers=0, **where)


def numbers(result: dict[str, Any]) -> list[Any]:
    epochs = [{k: v for k, v in e.items() if k != "seconds"} for e in result["epochs"]]
    return [result["weights_sha256"], epochs, result["epoch_metrics"]]


def unpack(root: Path) -> None:
    """As torchvision.datasets.ImageNet leaves the folders, and without the archives."""
    with tarfile.open(root / TRAIN) as outer:
        for member in outer:
            with tarfile.open(fileobj=outer.extractfile(member)) as inside:
                inside.extractall(root / "train" / Path(member.name).stem, filter="data")
    wnids = [*WORDS, *WORDS]
    with tarfile.open(root / VAL) as tar:
        for number, name in enumerate(sorted(tar.getnames())):
            tar.extract(name, root / "val" / wnids[number], filter="data")
    for name in (TRAIN, VAL, DEVKIT):
        (root / name).unlink()


def test_archives_folders_and_a_packed_copy_train_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_seven_classes(tmp_path / "imagenet")
    of_archives = trained(tmp_path, monkeypatch)
    assert 0 <= of_archives["metrics"][TOP5] <= 100
    assert of_archives["metrics"][TOP5] >= of_archives["test_accuracy"]
    unpack(tmp_path / "imagenet")
    of_folders = trained(tmp_path, monkeypatch)
    assert numbers(of_folders) == numbers(of_archives)
    reader: Any = parse_dataset(DATASET).facts.read
    write_pack(reader.packing(tmp_path, lambda: None), reader.pack_path(tmp_path))
    (tmp_path / "imagenet").rename(tmp_path / "elsewhere")
    of_copy = trained(tmp_path, monkeypatch)
    assert numbers(of_copy) == numbers(of_archives)


def test_stored_weights_are_evaluated_on_its_validation_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_seven_classes(tmp_path / "imagenet")
    folder = open_folder(tmp_path / "run")
    result = trained(tmp_path, monkeypatch, folder=folder)
    noise = {"noise": "constant", "value": 0.0}
    (found,) = evaluate_stored(CONFIG, [noise], data_dir=tmp_path, folders=[folder])
    assert found["accuracy"] == result["test_accuracy"]
