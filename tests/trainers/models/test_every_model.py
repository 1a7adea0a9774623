"""What holds of every architecture in MODELS: it trains, resumes to the bit, and is evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from small_models import SMALL_MODELS
from trainers.config import RunConfig
from trainers.errors import TrainingStopped
from trainers.job import EpochMetrics
from trainers.models import MODELS
from trainers.run import evaluate_stored, run
from trainers.storage import open_folder
from trainers.train import build_network

NO_DATA = Path("digits-need-no-data-folder")
NOISE = [{"noise": "gaussian", "std": 0.3}]


def config(name: str) -> dict[str, Any]:
    return {
        "model": {"name": name, **SMALL_MODELS[name]},
        "dataset": {"name": "digits", "subset": 96},
        "training": {"epochs": 2, "batch_size": 32},
        "seed": 0,
    }


def test_none_is_missing_here() -> None:
    assert SMALL_MODELS.keys() == set(MODELS)


@pytest.mark.parametrize("name", SMALL_MODELS)
def test_it_trains_resumes_to_the_bit_and_is_evaluated_by_its_weights(
    name: str, tmp_path: Path
) -> None:
    def stop(metrics: EpochMetrics) -> None:
        raise TrainingStopped

    storage = open_folder(tmp_path)
    whole = run(config(name), NOISE, data_dir=NO_DATA, folder=storage.child("whole"))
    assert not whole["diverged"]
    with pytest.raises(TrainingStopped):
        run(config(name), NOISE, data_dir=NO_DATA, folder=storage.child("1"), on_epoch=stop)
    resumed = run(
        config(name),
        NOISE,
        data_dir=NO_DATA,
        folder=storage.child("2"),
        earlier=[storage.child("1")],
        attempt=2,
    )
    assert resumed["provenance"]["first_epoch"] == 2
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    for key in ("test_accuracy", "test_loss", "train_loss", "evaluations", "learned_coefficients"):
        assert resumed[key] == whole[key]
    again = evaluate_stored(config(name), NOISE, data_dir=NO_DATA, folders=[storage.child("whole")])
    assert again == whole["evaluations"]


@pytest.mark.parametrize("name", SMALL_MODELS)
def test_it_has_the_parameters_that_are_planned_and_learns_each(name: str) -> None:
    planned = RunConfig.model_validate(config(name))
    network = build_network(planned, "cpu")
    trained = [p for p in network.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trained) == planned.parameters
    network.train()
    draw = torch.Generator().manual_seed(0)
    network(torch.randn(4, 1, 16, 16, generator=draw)).square().sum().backward()
    assert all(p.grad is not None for p in trained)
