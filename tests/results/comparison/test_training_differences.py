"""Conditions of a run that are not the paper's: what absent options mean, rates by the batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from results.comparison.training_differences import differences
from results.published import PublishedRow, published_table

ZEROSNET = next(row for row in published_table("zerosnet/table5").rows if row.depth == 18)
NEWTON = published_table("newton/table6").rows[0]
CIFAR = published_table("zerosnet/table3").rows[0]
LM_RESNET = published_table("lm_resnet/table3").rows[-1]


def sgd(lr: float, **options: Any) -> dict[str, Any]:
    return {"name": "sgd", "lr": lr, "momentum": 0.9, "nesterov": False, **options}


def zerosnet(**changes: Any) -> dict[str, Any]:
    """The config of a run under the conditions of Table 5 at depth 18, with these changes."""
    training = {
        "epochs": 150,
        "batch_size": 128,
        "data_parallel": 8,
        "optimizer": sgd(0.2, weight_decay=4e-5, decay_norms_and_biases=False),
        "lr_schedule": {
            "name": "cosine", "by": "step", "rate_at": "end", "warmup_epochs": 5,
            "warmup_start": 0.0,
        },
    }  # fmt: skip
    crop = {"area": [0.1, 1.0], "aspect": [0.8, 1.25]}
    dataset = {"name": "imagenet", "crop": crop, "horizontal_flip": True}
    return {
        "model": {},
        "dataset": dataset | changes.pop("dataset", {}),
        "training": {
            key: value for key, value in (training | changes).items() if value is not None
        },
        "precision": "fp16",
    }


def said(config: dict[str, Any], row: PublishedRow) -> list[str]:
    # Which network it is, is another matter.
    return [str(difference) for difference in differences(config, replace(row, network=None))]


def test_the_papers_own_conditions_do_not_differ() -> None:
    assert said(zerosnet(), ZEROSNET) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"data_parallel": None, "optimizer": sgd(0.025, weight_decay=4e-5,
          decay_norms_and_biases=False)}, ["processes: 1 here, 8 in the paper"]),
        ({"batch_size": 64, "optimizer": sgd(0.1, weight_decay=4e-5,
          decay_norms_and_biases=False)}, ["batch size: 64 here, 128 in the paper"]),
        ({"batch_size": 64}, ["batch size: 64 here, 128 in the paper",
          "learning rate: 0.2 for 512 here, 0.05 for 256 images a step in the paper"]),
        ({"optimizer": sgd(0.2, weight_decay=4e-5)},
         ["decay of norms and biases: yes here, no in the paper"]),
        ({"dataset": {"classes": ["n01440764", "n01443537"], "reduce": 256}},
         ["classes: 2 here, all in the paper", "images reduced to: 256 here, none in the paper"]),
        ({"lr_schedule": {"name": "cosine"}},
         ["rates change by: epoch here, step in the paper",
          "rates taken at: begin here, end in the paper",
          "warm-up epochs: 0 here, 5 in the paper"]),
        ({"dataset": {"crop": {"area": [0.08, 1.0], "aspect": [0.8, 1.25]}}},
         ["area of crops: [0.08, 1] here, [0.1, 1] in the paper"]),
        ({"sync_batch_norm": True},
         ["normalisation over all processes: yes here, none in the paper"]),
    ],
    ids=str,
)  # fmt: skip
def test_each_condition_that_differs_is_named(changes: dict[str, Any], expected: list[str]) -> None:
    assert said(zerosnet(**changes), ZEROSNET) == expected


def test_a_rate_in_proportion_to_the_batch_is_the_papers() -> None:
    config = zerosnet(
        batch_size=64,
        data_parallel=4,
        optimizer=sgd(0.1, weight_decay=1e-4),
        epochs=90,
        lr_schedule={
            "name": "step", "by": "step", "warmup_epochs": 5, "warmup_start": 0.25, "gamma": 0.1,
            "milestones": [30, 60, 80],
        },
        dataset={"crop": {"area": [0.05, 1.0], "aspect": [3 / 4, 4 / 3]}},
    )  # fmt: skip
    assert said(config, NEWTON) == ["batch size: 64 here, 256 in the paper"]


def test_a_batch_that_is_given_of_all_processes_together_is_held_against_a_step() -> None:
    dataset = {"crop": {"area": [0.08, 1.0], "aspect": [3 / 4, 4 / 3]}, "shorter_side": [256, 480]}
    config = zerosnet(batch_size=32, optimizer=sgd(0.1, weight_decay=1e-4), dataset=dataset)
    config["precision"] = "fp32"
    assert said(config, LM_RESNET) == []
    config["training"]["accumulation"] = 2
    assert said(config, LM_RESNET) == [
        "images a step: 512 here, 256 in the paper",
        "batches a step: 2 here, none in the paper",
    ]
    del config["dataset"]["shorter_side"]
    assert "shorter side: as it is here, [256, 480] in the paper" in said(config, LM_RESNET)


def test_a_run_of_one_process_without_warm_up_is_that_of_a_paper_on_cifar() -> None:
    training = {
        "epochs": 160,
        "batch_size": 128,
        "optimizer": sgd(0.1, weight_decay=1e-4),
        "lr_schedule": {"name": "step", "milestones": [80, 120], "gamma": 0.1},
    }
    dataset = {"name": "cifar10", "crop_padding": 4, "horizontal_flip": True}
    config = {"model": {}, "dataset": dataset, "training": training, "precision": "fp32"}
    assert said(config, CIFAR) == []
    training |= {"data_parallel": 2, "lr_schedule": training["lr_schedule"] | {"warmup_epochs": 5}}
    assert said(config, CIFAR) == [
        "processes: 2 here, 1 in the paper",
        "warm-up epochs: 5 here, 0 in the paper",
    ]


def test_a_config_without_a_training_has_no_conditions_of_one() -> None:
    assert said({"trainer": "own:train", "options": {}, "seed": 0}, ZEROSNET) == []


def test_a_number_of_classes_leaves_none_out() -> None:
    config = zerosnet(dataset={"name": "image_folder", "folder": "f", "classes": 8})
    row = replace(ZEROSNET, dataset="image_folder")
    assert said(config, row) == said(zerosnet(), ZEROSNET)
