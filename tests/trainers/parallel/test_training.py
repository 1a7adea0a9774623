"""Several processes that train one network: as one with all their images, and always the same."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from gang_members import (
    EVALUATIONS,
    Run,
    overflow_in_one,
    train,
    train_elsewhere,
    train_other_weights,
)
from gangs import meetings, together
from image_files import CLASSES, fill
from small_models import SMALL_MODELS
from small_networks import NO_DATA, numbers
from trainers.errors import PeerLostError, TrainingStopped
from trainers.run import run
from trainers.storage import open_folder
from trainers.training.checkpoint import load_weights

IMAGES, EPOCHS, A_STEP = 44, 2, 12
"""Of the digits: three whole steps in an epoch, and 8 images that are left, which three processes
share unevenly."""

RECIPES: dict[str, dict[str, Any]] = {
    "one image is left of a step of several batches": {
        "dataset": {"subset": 37},
        "training": {"accumulation": 2},
    },
    "averaged weights": {"training": {"ema_decay": 0.9}},
    "clipped gradients": {"training": {"clip_norm": 0.05, "label_smoothing": 0.1}},
    "a plateau": {
        "training": {
            "lr_schedule": {"name": "plateau", "patience": 0, "validation": 0.25},
            "optimizer": {"name": "adamw", "lr": 0.01},
        }
    },
    "stochastic depth": {
        "model": {"name": "lm_resnet", **SMALL_MODELS["lm_resnet"], "survival": 0.5}
    },
    "a body for ImageNet": {
        "model": {"name": "zerosnet", "depth": 18, "width": 4, "body": "imagenet"}
    },
    "probes": {
        "model": {"name": "lm_resnet", "depth": 14, "width": 4},
        "probes": [
            "learned_coefficients",
            "feature_norms",
            {"probe": "principal_angles", "images_per_class": 3},
            "condition_numbers",
            {"probe": "runtime", "batch_sizes": [4], "batches": 1},
        ],
    },
}
"""What else a recipe may have, beside a network of each kind."""

FEW = ["revnet", "shake_shake", "one image is left of a step of several batches"]
"""Those that stand for all of them where there is little time."""


def config(name: str, processes: int = 1, **changes: dict[str, Any]) -> dict[str, Any]:
    """A run of so many processes with as many images a step as any other number has."""
    found: dict[str, Any] = {
        "model": {"name": "zerosnet", **SMALL_MODELS["zerosnet"]},
        "dataset": {"name": "digits", "subset": IMAGES},
        "training": {"epochs": EPOCHS, "batch_size": A_STEP // processes},
        "seed": 0,
        "precision": "fp64",
    }
    if name in SMALL_MODELS:
        found["model"] = {"name": name, **SMALL_MODELS[name]}
    if processes > 1:
        found["training"] |= {"data_parallel": processes, "sync_batch_norm": True}
    for key, value in (RECIPES.get(name, {}) | changes).items():
        both = isinstance(value, dict) and key != "model"
        found[key] = found[key] | value if both else value
    return found


def compare(names: list[str], processes: int, root: Path) -> dict[str, float]:
    """How far weights of several processes are from those of one; other numbers are compared."""
    worst = {}
    runs = [Run(config(name, processes), root / name) for name in names]
    with meetings(len(runs)) as addresses:
        found = together(processes, train, addresses, runs)[0]
    for name, several in zip(names, found, strict=True):
        one_folder = open_folder(root / f"{name} in one")
        one = run(config(name), EVALUATIONS, data_dir=NO_DATA, folder=one_folder)
        for key in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
            ours, theirs = ([epoch[key] for epoch in of["epochs"]] for of in (several, one))
            assert ours == pytest.approx(theirs, abs=1e-10), (name, key)
        ours, theirs = ([e["accuracy"] for e in of["evaluations"]] for of in (several, one))
        assert ours == theirs, name
        assert probed(several["probes"]) == pytest.approx(
            probed(one["probes"]), rel=1e-8, abs=1e-8, nan_ok=True
        ), name
        stored = load_weights([open_folder(root / name)], several["run_id"]).weights
        expected = load_weights([one_folder], one["run_id"]).weights
        assert stored.keys() == expected.keys()
        worst[name] = max(
            float((stored[key].double() - expected[key].double()).abs().max()) for key in expected
        )
    return worst


def probed(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], float]:
    """What does not depend on a clock."""
    keys = ("probe", "quantity", "epoch", "layer")
    return {
        tuple(row[key] for key in keys): math.nan if row["value"] is None else row["value"]
        for row in rows
        if "seconds" not in row["quantity"] and "per_second" not in row["quantity"]
    }


@pytest.mark.slow
def test_several_processes_train_as_one_with_all_their_images(tmp_path: Path) -> None:
    worst = compare(FEW, 3, tmp_path)
    assert max(worst.values()) < 1e-10, worst


@pytest.mark.long
@pytest.mark.parametrize("processes", [2, 3])
def test_networks_of_every_kind_train_in_several_processes_as_in_one(
    processes: int, tmp_path: Path
) -> None:
    worst = compare([*SMALL_MODELS, *RECIPES], processes, tmp_path)
    assert max(worst.values()) < 1e-10, worst


@pytest.mark.slow
@pytest.mark.long
def test_the_same_config_gives_the_same_bits_interrupted_or_not(tmp_path: Path) -> None:
    """With three processes, where the order of sums decides how they are rounded."""
    # Of six images a step each has two, and two of 32 are left for three processes.
    given = config("zerosnet", 3, dataset={"subset": 32}, training={"batch_size": 2, "epochs": 3})
    given["precision"] = "fp32"
    given["training"].pop("sync_batch_norm")
    recipe = given["training"] | {"optimizer": {"name": "sgd", "lr": 1e30}}
    runs = [
        Run(given, tmp_path / "undisturbed"),
        Run(given, tmp_path / "again"),
        Run(given, tmp_path / "interrupted", raises={2: {1: TrainingStopped()}}),
        Run(given, tmp_path / "interrupted", raises={1: {2: ValueError("of rank 1")}}),
        Run(given, tmp_path / "interrupted"),
        Run({**given, "training": recipe}),
    ]
    with meetings(len(runs)) as addresses:
        found = together(3, train, addresses, runs)
    undisturbed, again, stopped, broken, continued, diverged = zip(*found, strict=True)
    assert numbers(again[0]) == numbers(undisturbed[0])
    assert all(isinstance(outcome, TrainingStopped) for outcome in stopped)
    assert [type(outcome) for outcome in broken] == [PeerLostError, ValueError, PeerLostError]
    assert numbers(continued[0]) == numbers(undisturbed[0])
    assert continued[0]["provenance"]["first_epoch"] == 3
    assert [set(told) for told in continued[1:]] == 2 * [{"run_id", "rank"}]
    assert diverged[0]["diverged_epoch"] == 1


def test_a_gradient_that_overflows_in_one_process_is_a_step_of_none() -> None:
    given = {**config("zerosnet", 2), "precision": "fp16"}
    assert together(2, overflow_in_one, given) == 2 * [(True, 2.0**15, False)]


def test_processes_whose_weights_differ_are_named() -> None:
    said = together(3, train_other_weights, config("zerosnet", 3))
    assert set(said) == {
        "before epoch 1, weights of rank 1 differ from those of rank 0, which are to be the same to"
        " the bit: a device or a library that computes otherwise than the others"
    }


def test_processes_whose_folders_have_other_images_do_not_train(tmp_path: Path) -> None:
    for name, images in (("here", 60), ("there", 57)):
        fill(tmp_path / name / "bugs", train=images)
    given = config("zerosnet", 2)
    given["dataset"] = {
        "name": "image_folder",
        "folder": "bugs",
        "size": 8,
        "classes": list(CLASSES),
        "in_memory": False,
    }
    data = [tmp_path / "here", tmp_path / "there"]
    for said, stage in together(2, train_elsewhere, given, data):
        assert "the dataset of rank 1 is not that of rank 0: it has other images" in said
        assert stage == "dataset"
