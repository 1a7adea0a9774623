"""Runs whose images are streamed see the same pixels as any other run of their config."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from image_files import CLASSES, fill
from results.provenance import images_left_out
from trainers.config.job import Member
from trainers.config.run import RunConfig
from trainers.data import datasets, loading
from trainers.data.image_folder import ImageFolder
from trainers.data.image_folder_listing import listed
from trainers.data.packed.writing import write_pack
from trainers.data.streaming.source import DamagedImageError, Streamed, read_view
from trainers.errors import DatasetMissingError, TrainingStopped
from trainers.run import evaluate_stored, run
from trainers.stages import stage_of
from trainers.storage import open_folder
from trainers.training.batches import Batch
from trainers.training.images import RunImages, opened_tests

Small = Callable[..., dict[str, Any]]

CPU = torch.device("cpu")
FOLDER = {"name": "image_folder", "folder": "bugs", "size": 8, "classes": list(CLASSES)}
CROPPED = {"crop": {"area": [0.2, 1]}, "shorter_side": [12, 20], "resize": 10}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data")
    fill(data / "bugs")
    return data


@pytest.fixture(autouse=True)
def _nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_loaded", {})


def config_of(small: Small, dataset: dict[str, Any], **training: Any) -> RunConfig:
    recipe = {"epochs": 2, "batch_size": 7, **training}
    return RunConfig.model_validate(small(dataset={**FOLDER, **dataset}, training=recipe))


def seen(
    config: RunConfig, data: Path, epochs: Sequence[int] = (1, 2), **arguments: Any
) -> list[list[Batch]]:
    images = RunImages(config, data, CPU, **arguments)
    try:
        return [list(images.batches(epoch)) for epoch in epochs]
    finally:
        images.close()


def require_same(first: Sequence[Batch], second: Sequence[Batch]) -> None:
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.pixels, other.pixels)
        assert torch.equal(one.labels, other.labels)
        assert one[2:6] == other[2:6]
        assert (one.mix is None) == (other.mix is None)
        if one.mix is not None and other.mix is not None:
            assert one.mix.kept == other.mix.kept
            assert torch.equal(one.mix.partners, other.mix.partners)


@pytest.mark.parametrize(
    ("options", "workers"),
    [({}, 2), ({"crop_padding": 0, "horizontal_flip": False, "subset": 33}, 0)],
)
def test_streamed_images_are_those_in_memory(
    small: Small, data: Path, options: dict[str, Any], workers: int
) -> None:
    plateau = {"lr_schedule": {"name": "plateau", "validation": "1/4"}, "mixup": 0.4}
    held = config_of(small, {**options, "resize": 10}, **plateau)
    streamed = config_of(small, {**options, "resize": 10, "in_memory": False}, **plateau)
    for one, other in zip(seen(held, data), seen(streamed, data, workers=workers), strict=True):
        require_same(one, other)
    first, second = RunImages(held, data, CPU), RunImages(streamed, data, CPU, workers=workers)
    for mine, others in ((first.test, second.test), (first.validation, second.validation)):
        assert mine is not None
        assert others is not None
        for of_held, of_streamed in zip(mine.batches(9), others.batches(9), strict=True):
            assert of_held.number == of_streamed.number
            assert torch.equal(of_held.pixels, of_streamed.pixels)
            assert torch.equal(of_held.labels, of_streamed.labels)
        places = torch.tensor([3, 0, 3])
        assert torch.equal(mine.at(places), others.at(places))
        assert torch.equal(mine.labels, others.labels)
    padded, labels = second.training.padded_images(5)
    assert torch.equal(padded, first.training.padded_images(5)[0][:5])
    assert torch.equal(labels, first.training.padded_images(5)[1][:5])
    second.close()
    with opened_tests(streamed, data, CPU, workers=workers) as tests:
        assert torch.equal(next(tests.batches(30)).pixels, next(first.test.batches(30)).pixels)


@pytest.mark.parametrize("workers", [2])
def test_neither_workers_nor_an_interruption_change_a_bit(
    small: Small, data: Path, workers: int
) -> None:
    config = config_of(small, CROPPED)
    first, second = seen(config, data)
    assert not torch.equal(first[0].pixels, second[0].pixels)
    for one, other in zip((first, second), seen(config, data, workers=workers), strict=True):
        require_same(one, other)
    # Stopped in the middle of an epoch and resumed at the next one, elsewhere.
    images = RunImages(config, data, CPU, workers=workers)
    next(iter(images.batches(1)))
    require_same(second, list(images.batches(2)))
    images.close()
    (resumed,) = seen(config, data, [2], workers=workers)
    require_same(second, resumed)


@pytest.mark.parametrize("processes", [3])
def test_processes_have_the_images_of_one_between_them(
    small: Small, data: Path, processes: int
) -> None:
    def of(rank: int | None) -> list[Batch]:
        several = {"data_parallel": processes, "batch_size": 4, "accumulation": 2}
        one = {"batch_size": 4 * processes, "accumulation": 2}
        config = config_of(small, CROPPED, **(one if rank is None else several))
        member = None if rank is None else Member(rank, processes, "")
        return seen(config, data, [1], member=member, workers=rank or 0)[0]

    every = zip(*map(of, range(processes)), strict=True)
    for whole, parts in zip(of(None), every, strict=True):
        assert torch.equal(whole.pixels, torch.cat([part.pixels for part in parts]))
        assert torch.equal(whole.labels, torch.cat([part.labels for part in parts]))
        assert math.isclose(math.fsum(part.share for part in parts), whole.share)


def test_tests_are_dealt_out_to_processes(small: Small, data: Path) -> None:
    images = RunImages(config_of(small, CROPPED), data, CPU)
    whole = list(images.test.batches(8))
    for rank in range(3):
        dealt = list(images.test.batches(8, rank=rank, processes=3))
        assert [batch.number for batch in dealt] == list(range(rank, 4, 3))
        for batch in dealt:
            assert torch.equal(batch.pixels, whole[batch.number].pixels)
    images.close()


def test_large_folders_are_streamed_and_small_ones_are_not(
    small: Small, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_streamed(**options: Any) -> bool:
        monkeypatch.setattr(loading, "_loaded", {})
        facts = config_of(small, options).dataset_facts
        return isinstance(loading.load("image_folder", data, facts)[0], Streamed)

    assert [is_streamed(in_memory=given) for given in ("auto", True, False)] == [False, False, True]
    assert is_streamed(**CROPPED)
    monkeypatch.setattr(datasets, "MOST_IN_MEMORY", 90 * 3 * 8 * 8 - 1)
    assert [is_streamed(in_memory=given) for given in ("auto", True, False)] == [True, False, True]
    monkeypatch.setattr(datasets, "MOST_IN_MEMORY", 90 * 3 * 8 * 8)
    assert not is_streamed()


class TestDamage:
    @pytest.fixture
    def damaged(self, tmp_path: Path) -> Path:
        fill(tmp_path / "bugs")
        for name in ("train/ant/3.png", "train/cat/8.png", "test/bee/1.png"):
            path = tmp_path / "bugs" / name
            path.write_bytes(path.read_bytes()[:70])
        os.mkfifo(tmp_path / "bugs/train/bee/pipe.png")
        return tmp_path

    @pytest.mark.parametrize("options", [{}, {"in_memory": False}, CROPPED])
    def test_damaged_images_are_left_out_and_counted(
        self, small: Small, damaged: Path, tmp_path: Path, options: dict[str, Any]
    ) -> None:
        config = config_of(small, {**options, "damaged": "skip"})
        images = RunImages(config, damaged, CPU)
        assert images.left_out == [
            "3 of 61 training images cannot be decoded", "1 of 30 test images cannot be decoded"
        ]  # fmt: skip
        batches = [list(images.batches(epoch)) for epoch in (1, 2)]
        assert images.count == 58
        assert len(images.test) == 29
        images.close()
        # What is left is what a folder without them has; the second time, what was found is kept.
        with_them_gone = tmp_path / "without"
        fill(with_them_gone / "bugs")
        for name in ("train/ant/3.png", "train/cat/8.png", "test/bee/1.png"):
            (with_them_gone / "bugs" / name).unlink()
        others = seen(config_of(small, options), with_them_gone)
        for one, other in zip(batches, others, strict=True):
            require_same(one, other)
        loading._loaded.clear()
        for one, other in zip(batches, seen(config, damaged), strict=True):
            require_same(one, other)
        assert len([path for path in damaged.iterdir() if path.suffix == ".npz"]) == 1

    @pytest.mark.parametrize("options", [{}, {"in_memory": False}, CROPPED])
    @pytest.mark.parametrize(("part", "said"), [("train", "61 training"), ("test", "30 test")])
    def test_a_part_of_which_nothing_is_left_is_no_dataset(
        self, small: Small, damaged: Path, options: dict[str, Any], part: str, said: str
    ) -> None:
        for path in (damaged / "bugs" / part).glob("*/[0-9]*.png"):
            path.write_bytes(b"no image")
        config = config_of(small, {**options, "damaged": "skip"})
        with pytest.raises(DatasetMissingError, match=f"{said} images, none of which can be deco"):
            RunImages(config, damaged, CPU)

    def test_a_packed_copy_without_them_is_seen_as_the_files_are(
        self, small: Small, damaged: Path
    ) -> None:
        config = config_of(small, {**CROPPED, "damaged": "skip", "reduce": 20})
        files = seen(config, damaged)
        reader = config.dataset_facts.read
        assert isinstance(reader, ImageFolder)
        copy = reader.pack_path(damaged)
        assert copy is not None
        write_pack(reader.packing(damaged, lambda: None), copy)
        loading._loaded.clear()
        for one, other in zip(files, seen(config, damaged), strict=True):
            require_same(one, other)

    @pytest.mark.parametrize("workers", [0, 1])
    def test_a_run_ends_at_a_damaged_image_unless_the_spec_says_otherwise(
        self, small: Small, damaged: Path, workers: int
    ) -> None:
        images = RunImages(config_of(small, CROPPED), damaged, CPU, workers=workers)
        with pytest.raises(DamagedImageError, match=r"(3|8|pipe)\.png is damaged") as met:
            list(images.batches(1))
        assert stage_of(met.value) == "dataset"
        images.close()

    def test_the_content_of_what_is_streamed_is_checked(self, small: Small, data: Path) -> None:
        held = config_of(small, {"content": "0" * 64}).dataset_facts
        streamed = config_of(small, {"content": "0" * 64, "in_memory": False}).dataset_facts
        said = []
        for facts in (held, streamed):
            with pytest.raises(DatasetMissingError, match="other images than the spec") as met:
                loading.load("image_folder", data, facts)
            said.append(str(met.value))
        assert said[0] == said[1]


def test_a_run_of_a_million_names_is_a_few_arrays(data: Path) -> None:
    train, _ = listed(data / "bugs", CLASSES)
    arrays = [value for value in vars(train).values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in arrays) < 60 * (8 + 8 + 8)
    paths = sorted((data / "bugs/train").glob("*/*.png"), key=lambda p: (p.parent.name, p.name))
    assert [train.name(index) for index in range(60)] == [str(path) for path in paths]
    labels = [CLASSES.index(path.parent.name) for path in paths]
    assert train.labels.tolist() == labels


def test_a_streamed_run_ends_in_the_same_bits_interrupted_or_not(
    small: Small, data: Path, tmp_path: Path
) -> None:
    config = config_of(small, CROPPED).to_json()
    asked = [{"noise": "gaussian", "std": 0.1}]
    folders = [open_folder(tmp_path / name) for name in ("whole", "first", "second")]
    whole = run(config, asked, data_dir=data, folder=folders[0], workers=0)

    def stop(metrics: Any) -> None:
        raise TrainingStopped

    with pytest.raises(TrainingStopped):
        run(config, asked, data_dir=data, folder=folders[1], workers=1, on_epoch=stop)
    rest = run(config, asked, data_dir=data, folder=folders[2], earlier=folders[1:2], workers=0)
    assert rest["provenance"]["first_epoch"] == 2
    for name in ("weights_sha256", "evaluations", "test_accuracy", "train_loss"):
        assert rest[name] == whole[name]
    again = evaluate_stored(config, asked, data_dir=data, folders=folders[:1])
    assert again == whole["evaluations"]


def test_a_streamed_run_has_the_weights_of_one_in_memory(small: Small, data: Path) -> None:
    results = [
        run(config_of(small, {"in_memory": given}).to_json(), data_dir=data)
        for given in (True, False)
    ]
    assert results[0]["weights_sha256"] == results[1]["weights_sha256"]
    assert results[0]["run_id"] != results[1]["run_id"]


@pytest.mark.parametrize("where", ["train.build_network", "images._tested"])
def test_an_error_before_training_leaves_no_process(
    small: Small, data: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def no_memory(*given: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(f"trainers.training.{where}", no_memory)
    before = psutil.Process().children()
    with pytest.raises(RuntimeError, match="out of memory") as met:
        run(config_of(small, CROPPED).to_json(), data_dir=data, workers=1)
    assert met.tb is not None  # it keeps what was there
    assert psutil.Process().children() == before


def test_cropped_images_are_validated_as_tests_see_them(small: Small, data: Path) -> None:
    plateau = {"lr_schedule": {"name": "plateau", "validation": "1/4"}}
    config = config_of(small, CROPPED, **plateau)
    images = RunImages(config, data, CPU)
    test = loading.load("image_folder", data, config.dataset_facts)[1]
    assert isinstance(test, Streamed)
    train, _ = listed(data / "bugs", CLASSES)
    every = np.stack([read_view(train, test.view, index, None) for index in range(60)])
    assert images.validation is not None
    (batch,) = images.validation.batches(60)
    trained = images.training.count
    assert (len(batch.labels), trained) == (15, 45)
    for pixels in batch.pixels.numpy():
        assert (pixels == every).all((1, 2, 3)).any()
    images.close()
    result = run(config.to_json(), data_dir=data)
    assert result["test_accuracy"] is not None


def test_what_a_run_leaves_out_is_in_its_provenance(small: Small, tmp_path: Path) -> None:
    fill(tmp_path / "bugs", 12, 6)
    (tmp_path / "bugs/train/ant/3.png").write_bytes(b"")
    result = run(config_of(small, {"damaged": "skip"}).to_json(), data_dir=tmp_path)
    assert images_left_out(result["provenance"]) == ["1 of 12 training images cannot be decoded"]
    assert "images_left_out" not in result


def test_probes_measure_a_streamed_run(small: Small, data: Path) -> None:
    config = config_of(small, CROPPED).to_json()
    probes = [
        {"probe": "principal_angles", "images_per_class": 3},
        {"probe": "runtime", "batch_sizes": [4], "batches": 1},
    ]
    result = run({**config, "probes": probes}, data_dir=data)
    assert {value["probe"] for value in result["probes"]} == {"principal_angles", "runtime"}
    unwatched = run(config, data_dir=data)
    assert result["weights_sha256"] == unwatched["weights_sha256"]
