"""The specs of the papers' tables on ImageNet, against what the papers and their code say.

ZeroSNet: Chen et al. (2022), appendix and released code; LM-ResNet: Lu et al. (2018), section 3;
Newton-ResNet: section 4.4, with Goyal et al. (2017) for the warm-up.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import pytest

from sweeper.spec.spec import Spec, load_spec
from trainers.config.run import RunConfig
from trainers.config.training import TrainingConfig

SPECS = Path(__file__).parents[2] / "specs"
IMAGES = 1_281_167
"""For training, in ILSVRC2012."""

NETWORKS = {
    "imagenet_table5": {
        (model, depth): (batch, 8)
        for model in ("preresnet", "zerosnet")
        for depth, batch in ((18, 128), (34, 64), (50, 32))
    },
    "lm_resnet_imagenet_table3": {("lm_resnet", depth): (32, 8) for depth in (50, 101)},
    "newton_resnet_imagenet_table6": {
        ("resnet", 50): (256, 4),
        ("newton_resnet", 50): (256, 4),
        ("resnet", 101): (256, 4),
    },
    "newton_resnet_linear_imagenet_table7": {
        (model, 50): (256, 4) for model in ("resnet", "newton_resnet")
    },
}  # fmt: skip
"""By model and depth, images of a batch and processes."""

CROPS = {
    "imagenet_table5": ((0.1, 1), (0.8, 1.25), None),
    "lm_resnet_imagenet_table3": ((0.08, 1), (3 / 4, 4 / 3), (256, 480)),
    "newton_resnet_imagenet_table6": ((0.05, 1), (3 / 4, 4 / 3), None),
    "newton_resnet_linear_imagenet_table7": ((0.05, 1), (3 / 4, 4 / 3), None),
}


@cache
def spec(name: str) -> Spec:
    return load_spec(SPECS / f"{name}.yaml")


def configs(name: str) -> list[RunConfig]:
    found = [config for config in spec(name).configs if isinstance(config, RunConfig)]
    assert len(found) == len(spec(name).configs)
    return found


def rates(training: TrainingConfig, epoch: int) -> list[float]:
    """Of the first, the second and the last step of an epoch counted from 1."""
    steps = training.steps(IMAGES)
    return [training.learning_rate(epoch, step, steps) for step in (0, 1, steps - 1)]


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_has_the_batches_and_processes_of_its_paper(name: str) -> None:
    found = {
        (config.model.name, config.model.depth): (
            config.training.batch_size,
            config.training.processes,
        )
        for config in configs(name)
    }
    assert found == NETWORKS[name]
    assert len(configs(name)) == len(found)
    assert spec(name).resources.gpus == 1
    for config in configs(name):
        assert config.training.sync_batch_norm is None
        assert config.dataset_facts.size == 224
        assert config.train_images == IMAGES
        assert config.dataset_facts.classes == 1000
        assert config.training.optimizer.model_dump()["nesterov"] is False
        assert config.model.model_dump()["body"] == "imagenet"


@pytest.mark.parametrize("name", CROPS)
def test_crops_are_those_of_the_paper(name: str) -> None:
    for config in configs(name):
        dataset = config.dataset.model_dump()
        area, aspect, shorter_side = CROPS[name]
        assert tuple(dataset["crop"]["area"]) == area
        assert tuple(dataset["crop"]["aspect"]) == pytest.approx(aspect)
        assert dataset["shorter_side"] == shorter_side
        assert dataset["horizontal_flip"]


def test_zerosnets_rates_are_those_of_its_code() -> None:
    for config in configs("imagenet_table5"):
        training = config.training
        base = {18: 0.2, 34: 0.1, 50: 0.05}[config.model.depth]
        steps = training.steps(IMAGES)
        assert (training.optimizer.lr, training.epochs, config.precision) == (base, 150, "fp16")
        options = training.optimizer.model_dump()
        assert (options["weight_decay"], options["decay_norms_and_biases"]) == (4e-5, False)
        for epoch in (1, 3, 5):
            done = [epoch - 1 + step / steps for step in (1, 2, steps)]
            assert rates(training, epoch) == pytest.approx([base * e / 5 for e in done])
        for epoch in (6, 80, 150):
            done = [epoch - 6 + step / steps for step in (1, 2, steps)]
            expected = [base * (1 + math.cos(math.pi * e / 145)) / 2 for e in done]
            assert rates(training, epoch) == pytest.approx(expected, abs=1e-12)


def test_lm_resnets_rates_are_those_of_the_network_that_it_builds_on() -> None:
    for config in configs("lm_resnet_imagenet_table3"):
        training = config.training
        assert (training.images_a_step, training.epochs, config.precision) == (256, 90, "fp32")
        assert training.optimizer.model_dump()["weight_decay"] == 1e-4
        for epoch, rate in ((1, 0.1), (30, 0.1), (31, 0.01), (60, 0.01), (61, 0.001), (90, 0.001)):
            assert rates(training, epoch) == pytest.approx([rate] * 3)


@pytest.mark.parametrize(
    "name", ["newton_resnet_imagenet_table6", "newton_resnet_linear_imagenet_table7"]
)
def test_newton_resnets_rates_rise_from_that_for_256_images(name: str) -> None:
    for config in configs(name):
        training = config.training
        steps = training.steps(IMAGES)
        assert (training.images_a_step, training.epochs, config.precision) == (1024, 90, "fp16")
        assert training.optimizer.model_dump()["weight_decay"] == 1e-4
        assert rates(training, 1)[0] == pytest.approx(0.1)
        rise = [0.1 + 0.3 * (4 + step / steps) / 5 for step in (0, 1, steps - 1)]
        assert rates(training, 5) == pytest.approx(rise)
        for first, last, rate in ((6, 30, 0.4), (31, 60, 0.04), (61, 80, 4e-3), (81, 90, 4e-4)):
            assert rates(training, first) == pytest.approx([rate] * 3)
            assert rates(training, last) == pytest.approx([rate] * 3)
        assert config.model.model_dump().get("tanh") in (None, "half")
