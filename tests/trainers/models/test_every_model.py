"""What holds of every architecture in MODELS: it trains, resumes to the bit, and is evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from small_models import COUNTS, SMALL_MODELS
from small_networks import (
    NO_DATA,
    assert_continued_run_is_identical,
    build,
    multiply_adds_of_convolutions,
    noise,
    parameters,
    resolved,
)
from trainers.config.run import RunConfig
from trainers.models import MODELS
from trainers.models.counting import count
from trainers.run import evaluate_stored, run
from trainers.storage import open_folder
from trainers.training.building import build_network

NOISE = [{"noise": "gaussian", "std": 0.3}]


def config(name: str) -> dict[str, Any]:
    return {
        "model": {"name": name, **SMALL_MODELS[name]},
        "dataset": {"name": "digits", "subset": 96},
        "training": {"epochs": 2, "batch_size": 32},
        "seed": 0,
    }


def test_every_registered_model_is_covered_by_these_tests() -> None:
    assert SMALL_MODELS.keys() == COUNTS.keys() == set(MODELS)


@pytest.mark.parametrize("name", SMALL_MODELS)
def test_a_resumed_run_equals_an_uninterrupted_one_for_every_model(
    name: str, tmp_path: Path
) -> None:
    whole = assert_continued_run_is_identical(config(name), tmp_path)
    assert not whole["diverged"]


@pytest.mark.parametrize("name", SMALL_MODELS)
def test_every_model_is_evaluated_the_same_from_stored_weights(name: str, tmp_path: Path) -> None:
    folder = open_folder(tmp_path)
    trained = run(config(name), NOISE, data_dir=NO_DATA, folder=folder)
    again = evaluate_stored(config(name), NOISE, data_dir=NO_DATA, folders=[folder])
    assert again == trained["evaluations"]


@pytest.mark.parametrize("name", SMALL_MODELS)
def test_every_model_has_the_planned_parameters_and_learns_all(name: str) -> None:
    planned = RunConfig.model_validate(config(name))
    network = build_network(planned, "cpu")
    assert parameters(network) == planned.parameters
    network.train()
    draw = torch.Generator().manual_seed(0)
    network(torch.randn(4, 1, 16, 16, generator=draw)).square().sum().backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


@pytest.mark.parametrize(("channels", "classes", "size"), [(1, 10, 8), (3, 100, 33)])
@pytest.mark.parametrize("name", SMALL_MODELS)
def test_counted_parameters_and_multiply_adds_match_the_layers(
    name: str, channels: int, classes: int, size: int
) -> None:
    architecture, options, scheme = resolved(name, None, SMALL_MODELS[name])
    counts = count(architecture, options, scheme, channels=channels, classes=classes, size=size)
    expected = COUNTS[name][:2] if size == 8 else COUNTS[name][2:]
    assert (counts.parameters, counts.multiply_adds) == expected
    network = build(name, channels=channels, classes=classes, **SMALL_MODELS[name])
    passed = multiply_adds_of_convolutions(network, noise(1, channels, size, size))
    assert counts.multiply_adds == passed
