from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from saved_activations import SavedActivations
from torch import nn

from sweeper.planning.cost import CostModel, starting_multiplier
from sweeper.planning.devices import GPUS, USUAL_GPU
from sweeper.planning.memory import KEPT_BY_OPTIMIZERS, memory_of
from sweeper.planning.slot import Slot
from trainers.config.optimizers import OPTIMIZERS
from trainers.config.run import RunConfig
from trainers.data.datasets import MOST_IN_MEMORY
from trainers.evaluation.precision import autocast
from trainers.optim.optimizers import make_optimizer

GIB = 2**30


def config(
    model: Any = "zerosnet", depth: int = 20, data: Any = "cifar10", **more: Any
) -> RunConfig:
    named = {"name": model, "depth": depth} if isinstance(model, str) else model
    return RunConfig.model_validate({"model": named, "dataset": data, "seed": 0, **more})


def activations(of: RunConfig) -> float:
    """In GiB."""
    found = memory_of(of, "cuda")
    assert found is not None
    return found.activations / GIB


def test_activations_of_known_networks_are_as_measured() -> None:
    """At batch 128: what autograd saved of these networks, with numbers in them."""
    assert activations(config(depth=56)) == pytest.approx(0.51, abs=0.02)
    resnext = {"name": "resnext", "depth": 29, "cardinality": 16}
    assert activations(config(resnext, data="cifar100")) == pytest.approx(14.4, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "gib"),
    [
        ({"name": "preresnet", "depth": 326, "block": "bottleneck"}, 6),
        ({"name": "preresnet", "depth": 1001, "block": "bottleneck"}, 18.3),
        ({"name": "preresnet", "depth": 1202, "survival": 0.5}, 11),
    ],
)
def test_activations_of_the_deepest_networks_are_as_measured(
    model: dict[str, Any], gib: float
) -> None:
    assert activations(config(model)) == pytest.approx(gib, abs=0.1)


MODELS_OF_ALL_KINDS = [
    {"name": "zerosnet", "depth": 14},
    {"name": "lm_resnet", "depth": 14},
    {"name": "preresnet", "depth": 20, "block": "bottleneck"},
    {"name": "preresnet", "depth": 14, "survival": 0.5},
    {"name": "preact_resnet", "depth": 18, "width": 8, "stem": "7x7"},
    {"name": "ho_resnet", "depth": 26},
    {"name": "polynet", "depth": 8},
    {"name": "revnet", "depth": 38},
    {"name": "shake_shake", "depth": 8},
    {"name": "newton_resnet", "depth": 18},
]


@pytest.mark.parametrize("model", MODELS_OF_ALL_KINDS, ids=lambda model: model["name"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_activations_are_what_autograd_saves(model: dict[str, Any], precision: str) -> None:
    batch = 4
    of = config(model, precision=precision, training={"batch_size": batch})
    facts = of.dataset_facts
    network = of.architecture.build(
        of.model, of.scheme, channels=3, classes=facts.classes, generator=torch.Generator()
    )
    images = torch.randn(batch, 3, facts.size, facts.size)
    with SavedActivations(network) as saved, autocast(images.device, of.precision):
        logits = network(images)  # kept, as is what it saved
        live = saved.live
    assert logits.shape == (batch, 10)
    if precision == "fp32":
        assert activations(of) * GIB == pytest.approx(live, rel=0.12)
    else:
        # Half of float32's is a guess: coefficients that are learned, for one, make states float32.
        copies = 2 * of.parameters  # which count as weights
        assert 0.7 < activations(of) * GIB / (live - copies) < 1.5


@given(
    depths=st.lists(st.sampled_from([8, 14, 20]), min_size=2, max_size=2).map(sorted),
    batches=st.lists(st.integers(2, 512), min_size=2, max_size=2).map(sorted),
    precision=st.sampled_from(["fp32", "bf16"]),
)
def test_deeper_networks_and_larger_batches_need_more(
    depths: list[int], batches: list[int], precision: str
) -> None:
    less, more = (
        memory_of(
            config(depth=depths[i], precision=precision, training={"batch_size": batches[i]}),
            "cuda",
        )
        for i in (0, 1)
    )
    assert less is not None
    assert more is not None
    assert less.total <= more.total
    assert less.activations <= more.activations
    assert less.least < less.total


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_optimizers_keep_is_what_they_keep(name: str) -> None:
    options: dict[str, Any] = {"name": name}
    if name in ("adam", "adamw"):
        options["amsgrad"] = True
    if name == "rmsprop":
        options |= {"momentum": 0.5, "centered": True}
    of = config(training={"optimizer": options})
    layer = nn.Linear(40, 50, bias=False)
    optimizer = make_optimizer(layer, of.training.optimizer)
    layer(torch.ones(2, 40)).sum().backward()
    optimizer.step(0.1)
    kept = sum(
        value.numel()
        for state in optimizer.state_dict()["state"].values()
        for value in state.values()
        if isinstance(value, torch.Tensor) and value.dim()
    )
    found = memory_of(of, "cuda")
    assert found is not None
    # Adafactor keeps a row and a column of each matrix.
    allowed = (40 + 50) * 4 if name == "adafactor" else 0
    expected = kept / layer.weight.numel() * 4 * of.parameters
    assert abs(found.optimizer - expected) <= allowed * of.parameters / layer.weight.numel()


def test_kept_numbers_are_known_of_every_optimizer() -> None:
    assert KEPT_BY_OPTIMIZERS.keys() == OPTIMIZERS.keys()


def test_an_average_of_weights_is_one_more_copy() -> None:
    plain, averaged = (
        memory_of(config(training={"ema_decay": decay}), "cuda") for decay in (None, 0.99)
    )
    assert plain is not None
    assert averaged is not None
    assert averaged.optimizer - plain.optimizer == plain.weights


def test_a_dataset_is_kept_unless_it_is_streamed() -> None:
    folder = {
        "name": "image_folder",
        "folder": "pets",
        "size": 32,
        "classes": ["cat", "dog"],
        "images": {"train": 20_000, "test": 5_000},
    }
    streamed = work(config(data=folder | {"in_memory": False}))
    assert work(config(data=folder)) - streamed >= 25_000 * 3 * 32 * 32
    assert work(config(data=folder | {"crop": {}})) == streamed  # from files, however few there are
    huge = folder | {"images": {"train": 2_000_000, "test": 1}}
    assert work(config(data=huge)) == streamed
    assert work(config(data=huge | {"in_memory": True})) > MOST_IN_MEMORY


def work(of: RunConfig) -> int:
    found = memory_of(of, "cuda")
    assert found is not None
    return found.work


@pytest.mark.parametrize(("device", "most", "at_once"), [("cuda", 1_000, 81), ("cpu", 125, 10)])
def test_a_test_of_large_images_needs_no_more_than_one_of_small_ones(
    device: str, most: int, at_once: int
) -> None:
    """Of 224x224 as many are measured at once as have the pixels of those of 64x64."""
    resnet = {"name": "resnet", "depth": 18, "body": "imagenet", "width": 8}
    works = {}
    for size in (64, 224):
        folder = {"name": "image_folder", "folder": "f", "size": size, "classes": 8, "crop": {}}
        of = config(resnet, data=folder, training={"batch_size": 2})
        found, counts = memory_of(of, device), of.counts.training
        assert found is not None
        assert counts is not None
        works[size] = found.work
        images = found.work + found.activations
        assert images == 3 * counts.largest * (most if size == 64 else at_once)
    assert works[224] < 1.05 * works[64]


@pytest.mark.parametrize(
    ("model", "gpus", "multiplier"),
    [
        ({"name": "zerosnet", "depth": 56}, 0.25, 1),
        ({"name": "preresnet", "depth": 164, "block": "bottleneck"}, 0.25, 2),
        ({"name": "resnext", "depth": 29, "cardinality": 16}, 0.25, 4),
        ({"name": "resnext", "depth": 29, "cardinality": 16}, 1, 1),
    ],
)
def test_runs_begin_with_the_slots_that_their_memory_needs(
    model: dict[str, Any], gpus: float, multiplier: int
) -> None:
    slot = Slot(USUAL_GPU, gpus)
    assert starting_multiplier(memory_of(config(model), "cuda"), slot) == multiplier
    found = CostModel({}, slot).estimate(config(model), 0)
    assert found is not None
    assert found.multiplier == multiplier
    alone = CostModel({}, slot.times(multiplier)).estimate(config(model), 0)
    assert alone is not None
    assert found.seconds == alone.seconds
    assert found.device_hours == alone.device_hours


def test_on_a_large_gpu_a_quarter_is_enough() -> None:
    resnext = config({"name": "resnext", "depth": 29, "cardinality": 16})
    assert starting_multiplier(memory_of(resnext, "cuda"), Slot(GPUS["H200"], 0.25)) == 1
