"""Every kind of recipe trains, and goes on after an interruption to the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from small_networks import NO_DATA, numbers
from trainers.errors import TrainingStopped
from trainers.run import run
from trainers.storage import open_folder

Small = Callable[..., dict[str, Any]]


def with_recipe(small: Small, **recipe: Any) -> dict[str, Any]:
    return small(training={"epochs": 3, "batch_size": 64, **recipe})


def trained(config: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return run(config, data_dir=NO_DATA, **arguments)


def continued(config: dict[str, Any], folder: Path, after: int) -> dict[str, Any]:
    """The same run, stopped after an epoch and started again."""

    def stop(metrics: Any) -> None:
        if metrics["epoch"] == after:
            raise TrainingStopped

    first, second = open_folder(folder / "1"), open_folder(folder / "2")
    with pytest.raises(TrainingStopped):
        trained(config, folder=first, on_epoch=stop)
    result = trained(config, folder=second, earlier=[first])
    assert result["provenance"]["first_epoch"] == after + 1
    return result


@pytest.fixture(scope="module")
def plain(small: Small) -> dict[str, Any]:
    """A run by the recipe of the papers."""
    return trained(with_recipe(small))


RECIPES: dict[str, dict[str, Any]] = {
    "adamw without decay of norms": {
        "optimizer": {"name": "adamw", "lr": 0.01, "decay_norms_and_biases": False}
    },
    "sgd without decay of norms": {
        "optimizer": {"weight_decay": 0.1, "decay_norms_and_biases": False}
    },
    "nadam": {"optimizer": {"name": "nadam", "lr": 0.01}},
    "adafactor": {"optimizer": "adafactor"},
    "rmsprop": {"optimizer": {"name": "rmsprop", "momentum": 0.5, "centered": True}},
    "asgd": {"optimizer": {"name": "asgd", "lr": 0.1, "t0": 4}},
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_an_interrupted_run_of_any_recipe_ends_in_the_same_bits(
    small: Small, plain: dict[str, Any], tmp_path: Path, recipe: dict[str, Any]
) -> None:
    config = with_recipe(small, **recipe)
    whole = trained(config)
    assert not whole["diverged"]
    assert whole["weights_sha256"] != plain["weights_sha256"]
    for after in (1, 2):
        assert numbers(continued(config, tmp_path / str(after), after)) == numbers(whole)
