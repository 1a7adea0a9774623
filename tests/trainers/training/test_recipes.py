"""Every kind of recipe trains, and goes on after an interruption to the same bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from small_networks import NO_DATA, numbers
from trainers.config.job import Member
from trainers.config.optimizers import OPTIMIZERS
from trainers.config.run import RunConfig
from trainers.config.schedules import SCHEDULES
from trainers.data.labelled_images import LabelledImages
from trainers.errors import TrainerError, TrainingStopped
from trainers.run import evaluate_stored, run
from trainers.storage import open_folder
from trainers.training.batches import Batch
from trainers.training.checkpoint import Checkpoints
from trainers.training.images import RunImages

Small = Callable[..., dict[str, Any]]
NOISE = [{"noise": "gaussian", "std": 0.3}]


def with_recipe(small: Small, precision: str = "fp32", **recipe: Any) -> dict[str, Any]:
    """Of 80 images, three batches of 32 an epoch, the last of which is not whole."""
    return small(
        model={"name": "zerosnet", "depth": 8, "width": 2},
        dataset={"name": "digits", "subset": 80},
        training={"epochs": 2, "batch_size": 32, **recipe},
        precision=precision,
    )


def trained(config: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return run(config, NOISE, data_dir=NO_DATA, **arguments)


def stop(metrics: Any) -> None:
    raise TrainingStopped


def continued(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same run, stopped after its first epoch and started again."""
    first, second = open_folder(folder / "1"), open_folder(folder / "2")
    with pytest.raises(TrainingStopped):
        trained(config, folder=first, on_epoch=stop)
    result = trained(config, folder=second, earlier=[first])
    assert result["provenance"]["first_epoch"] == 2
    return result


@pytest.fixture(scope="module")
def plain(small: Small) -> dict[str, Any]:
    """A run by the recipe of the papers."""
    return trained(with_recipe(small))


RECIPES: dict[str, dict[str, Any]] = {
    **{name: {"optimizer": name} for name in OPTIMIZERS if name != "sgd"},
    **{
        name: {"lr_schedule": {"name": name, "by": "step"}}
        for name in SCHEDULES
        if name not in ("step", "plateau")
    },
    "plateau": {"epochs": 3, "lr_schedule": {"name": "plateau", "patience": 0, "threshold": 0.9}},
    "warm-up": {"lr_schedule": {"by": "step", "warmup_steps": 4, "milestones": []}},
    "without decay of norms": {"optimizer": {"weight_decay": 0.1, "decay_norms_and_biases": False}},
    "steps of two batches": {"accumulation": 2},
    "clipped by norm": {"clip_norm": 0.1},
    "clipped by value": {"clip_value": 0.01},
    "smoothed": {"label_smoothing": 0.1},
    "mixed": {"mixup": 0.4},
    "averaged": {"ema_decay": 0.9},
    "fp16": {"precision": "fp16"},
    "all at once": {
        "optimizer": {"name": "adamw", "decay_norms_and_biases": False},
        "lr_schedule": {"name": "cosine", "by": "step", "warmup_epochs": 1, "warmup_start": 0.2},
        "accumulation": 2,
        "clip_norm": 1,
        "label_smoothing": 0.1,
        "mixup": 0.4,
        "ema_decay": 0.9,
        "precision": "fp16",
    },
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_an_interrupted_run_of_any_recipe_ends_in_the_same_bits(
    small: Small, plain: dict[str, Any], tmp_path: Path, recipe: dict[str, Any]
) -> None:
    config = with_recipe(small, **recipe)
    whole = trained(config)
    assert not whole["diverged"]
    assert whole["weights_sha256"] != plain["weights_sha256"]
    assert numbers(continued(config, tmp_path)) == numbers(whole)


def test_the_rate_of_an_epoch_is_that_of_its_last_step(small: Small) -> None:
    schedule = {"name": "linear", "by": "step"}
    result = trained(with_recipe(small, lr_schedule=schedule, accumulation=2))
    # Two steps an epoch, the second of one batch.
    assert [e["learning_rate"] for e in result["epochs"]] == pytest.approx([0.075, 0.025])


def test_averaged_weights_are_measured_and_stored(
    small: Small, plain: dict[str, Any], tmp_path: Path
) -> None:
    config = with_recipe(small, ema_decay=0.9)
    result = trained(config, folder=open_folder(tmp_path))
    again = evaluate_stored(config, NOISE, data_dir=NO_DATA, folders=[open_folder(tmp_path)])
    assert again == result["evaluations"] != plain["evaluations"]
    # What trains is the same.
    for ours, theirs in zip(result["epochs"], plain["epochs"], strict=True):
        assert ours["train_loss"] == theirs["train_loss"]
        assert ours["test_loss"] != theirs["test_loss"]


def test_a_checkpoint_without_what_a_recipe_needs_is_passed_over(
    small: Small, tmp_path: Path
) -> None:
    config = with_recipe(small, lr_schedule={"name": "plateau"}, ema_decay=0.9, precision="fp16")
    run_id = RunConfig.model_validate(config).run_id
    folder = open_folder(tmp_path / "1")
    with pytest.raises(TrainingStopped):
        trained(config, folder=folder, on_epoch=stop)
    found = Checkpoints(run_id, folder).newest()
    assert found is not None
    _, state = found
    for key, wrong in (
        ("average", {}),
        ("scale", {}),
        ("validations", []),
        ("validations", [1.0, 1.0]),
        ("validations", [None]),
    ):
        Checkpoints(run_id, folder).save(1, {**state, key: wrong})
        result = trained(config, folder=open_folder(tmp_path / "2"), earlier=[folder])
        assert result["provenance"]["first_epoch"] == 1, (key, wrong)


def test_fp16_that_overflows_however_it_is_scaled_has_diverged(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.optim.step._LEAST_SCALE", 2.0**17)
    result = trained(with_recipe(small, precision="fp16"))
    assert (result["diverged"], result["diverged_epoch"]) == (True, 1)


def test_a_precision_that_the_machine_lacks_is_said_before_training(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_folder(tmp_path)
    with pytest.raises(TrainerError, match=r"precision: tf32 is for NVIDIA GPUs, and .* on cpu"):
        trained(with_recipe(small, precision="tf32"), folder=folder)

    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no kernel for Half\nand more")

    monkeypatch.setattr("trainers.evaluation.precision.autocast", fails)
    with pytest.raises(TrainerError, match=r"fp16 cannot .* cpu \(no kernel for Half\): say"):
        trained(with_recipe(small, precision="fp16"), folder=folder)
    assert folder.names() == []


def test_float32_without_tf32_is_float32_on_a_cpu(small: Small, plain: dict[str, Any]) -> None:
    result = trained(with_recipe(small, precision="ieee_fp32"))
    assert result["weights_sha256"] == plain["weights_sha256"]
    assert result["run_id"] != plain["run_id"]


def images_of(small: Small, **changes: Any) -> RunImages:
    config = RunConfig.model_validate(
        {**with_recipe(small, lr_schedule={"name": "plateau", "validation": "1/4"}), **changes}
    )
    return RunImages(config, NO_DATA, torch.device("cpu"))


def held(images: RunImages) -> Tensor:
    return images.training.padded_images(images.count)[0]


def pixels_of(images: LabelledImages) -> Tensor:
    return images.at(torch.arange(len(images)))


def test_a_validation_split_is_a_part_of_the_training_images_that_the_seed_decides(
    small: Small,
) -> None:
    everything = RunImages(
        RunConfig.model_validate(with_recipe(small)), NO_DATA, torch.device("cpu")
    )
    whole = {image.numpy().tobytes() for image in held(everything)[:, :, 1:-1, 1:-1]}
    images = images_of(small)
    assert images.validation is not None
    validated = {image.numpy().tobytes() for image in pixels_of(images.validation)}
    kept = {image.numpy().tobytes() for image in held(images)[:, :, 1:-1, 1:-1]}
    assert (len(validated), len(kept), images.count) == (20, 60, 60)
    assert validated | kept == whole
    assert not validated & kept
    for other, same in ((images_of(small), True), (images_of(small, seed=1), False)):
        assert other.validation is not None
        assert torch.equal(pixels_of(other.validation), pixels_of(images.validation)) is same
    assert (
        RunConfig.model_validate(
            with_recipe(small, lr_schedule={"name": "plateau", "validation": "1/4"})
        ).train_images
        == 60
    )


def test_shares_of_batches_and_steps_follow_from_the_images(small: Small) -> None:
    config = RunConfig.model_validate(with_recipe(small, accumulation=2))
    images = RunImages(config, NO_DATA, torch.device("cpu"))
    batches = list(images.batches(1))
    assert [(len(b.labels), b.share, b.ends_step) for b in batches] == [
        (32, 0.5, False), (32, 0.5, True), (16, 1.0, True)
    ]  # fmt: skip
    assert config.training.steps(images.count) == 2
    assert math.fsum(len(b.labels) for b in batches) == 80


@pytest.mark.parametrize("accumulation", [1, 2])
def test_processes_train_on_the_images_of_an_epoch_between_them(
    small: Small, accumulation: int
) -> None:
    def of(rank: int, processes: int, batch_size: int) -> list[Batch]:
        recipe: dict[str, Any] = {"batch_size": batch_size, "accumulation": accumulation}
        config = RunConfig.model_validate(with_recipe(small, data_parallel=processes, **recipe))
        member = None if processes == 1 else Member(rank, processes, "")
        return list(RunImages(config, NO_DATA, torch.device("cpu"), member).batches(1))

    dealt = list(zip(*(of(rank, 3, 11) for rank in range(3)), strict=True))
    for whole, parts in zip(of(0, 1, 33), dealt, strict=True):
        assert torch.equal(whole.pixels, torch.cat([part.pixels for part in parts]))
        assert torch.equal(whole.labels, torch.cat([part.labels for part in parts]))
        assert {part.ends_step for part in parts} == {whole.ends_step}
        assert math.isclose(math.fsum(part.share for part in parts), whole.share)
        sizes = [len(part.labels) for part in parts]
        assert [part.before for part in parts] == [0, sizes[0], sizes[0] + sizes[1]]
        assert {part.whole for part in parts} == {sum(sizes)}


def test_images_are_dealt_out_to_as_many_processes_as_the_config_has(small: Small) -> None:
    config = RunConfig.model_validate(with_recipe(small, data_parallel=2))
    with pytest.raises(ValueError, match="2 processes train this run, and one is None"):
        RunImages(config, NO_DATA, torch.device("cpu"))
