"""`precision: fp16` against Apex's O2, done by hand.

O2 keeps weights in fp16 but for normalisation's, computes in fp16, and steps on a copy in fp32 that
it writes back into the network (NVIDIA Apex, amp, opt_level "O2"). The loss is scaled by 2^16 at
first; a step whose gradient is not finite is left out, and the scale halved.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainers.config.run import RunConfig
from trainers.data.augment import normalize
from trainers.evaluation.measure import evaluate
from trainers.optim.averaging import WeightAverage
from trainers.optim.optimizers import make_optimizer
from trainers.optim.step import Steps
from trainers.training.building import build_network

Small = Callable[..., dict[str, Any]]

OPTIMIZER = {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4}
OVERFLOWS = 2.0**40
"""A scale at which the gradients of these networks overflow."""


class O2:
    """A network of fp16 weights, its fp32 copies, and torch's own SGD for them."""

    def __init__(self, network: nn.Module, config: RunConfig) -> None:
        self.config = config
        self.masters = copy.deepcopy(network)
        self.half = copy.deepcopy(network)
        for module in self.half.modules():
            if not isinstance(module, nn.BatchNorm2d):
                for weight in module.parameters(recurse=False):
                    weight.data = weight.data.half()
                for buffer in module.buffers(recurse=False):
                    buffer.data = buffer.data.half()
        self.optimizer = torch.optim.SGD(self.masters.parameters(), **OPTIMIZER)
        self.scale = 2.0**16

    def logits(self, pixels: Tensor) -> Tensor:
        facts = self.config.dataset_facts
        images = normalize(pixels, facts.mean, facts.std)
        logits: Tensor = self.half(images.contiguous(memory_format=torch.channels_last).half())
        return logits.float()

    def step(self, pixels: Tensor, labels: Tensor) -> Tensor:
        self.half.train().zero_grad()
        loss = functional.cross_entropy(self.logits(pixels), labels)
        (loss * self.scale).backward()
        finite = True
        for master, weight in self.pairs():
            assert weight.grad is not None
            master.grad = weight.grad.float() / self.scale
            finite = finite and bool(master.grad.isfinite().all())
        if finite:
            self.optimizer.step()
        else:
            self.scale /= 2
        with torch.no_grad():
            for master, weight in self.pairs():
                weight.copy_(master)
        return loss.detach()

    def pairs(self) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        return zip(self.masters.parameters(), self.half.parameters(), strict=True)


def config_of(
    small: Small, model: dict[str, Any], scheme: Any = None, **training: Any
) -> RunConfig:
    recipe = {"epochs": 1, "batch_size": 32, "optimizer": OPTIMIZER, **training}
    described = small(model={"width": 4, **model}, scheme=scheme, training=recipe, precision="fp16")
    return RunConfig.model_validate(described)


def stepping(config: RunConfig) -> tuple[nn.Module, Steps]:
    network = build_network(config, "cpu").train()
    return network, Steps(network, make_optimizer(network, config.training.optimizer), config)


def batches(count: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        pixels = torch.randint(256, (32, 1, 8, 8), generator=generator).to(torch.uint8)
        yield pixels, torch.randint(10, (32,), generator=generator)


ZEROSNET = {"name": "zerosnet", "depth": 8}


@pytest.mark.parametrize(
    ("model", "scheme"),
    [
        (ZEROSNET, None),
        ({"name": "preresnet", "depth": 8}, None),
        # The networks that ZeroSNet trains by O2, narrow.
        ({"name": "preresnet", "depth": 18, "body": "imagenet", "width": 8}, None),
        ({"name": "zerosnet", "depth": 50, "body": "imagenet", "width": 8}, None),
        ({"name": "lm_resnet", "depth": 14}, {"k": -0.5}),
        ({"name": "resnet", "blocks": [1, 1, 1, 1]}, None),
    ],
    ids=["zerosnet", "preresnet", "preresnet-18", "zerosnet-50", "lm_resnet", "resnet"],
)
def test_fp16_trains_to_the_bits_of_o2(small: Small, model: dict[str, Any], scheme: Any) -> None:
    config = config_of(small, model, scheme)
    network, steps = stepping(config)
    o2 = O2(network, config)
    for number, (pixels, labels) in enumerate(batches(5)):
        if number == 2:
            steps.load_state_dict({**steps.state_dict(), "scale": OVERFLOWS})
            o2.scale = OVERFLOWS
        elif number == 3:
            assert o2.scale == OVERFLOWS / 2  # there was no step
            steps.load_state_dict({**steps.state_dict(), "scale": 2.0**16})
            o2.scale = 2.0**16
        loss, _ = steps.learn(pixels, labels)
        steps.step(OPTIMIZER["lr"])
        assert float(loss) == float(o2.step(pixels, labels))
        assert steps.state_dict()["scale"] == o2.scale
        for ours, theirs in zip(network.parameters(), o2.masters.parameters(), strict=True):
            assert torch.equal(ours, theirs)
    # Of running statistics there is one copy, in the network of fp16 weights.
    statistics = dict(o2.half.named_buffers())
    for name, running in network.named_buffers():
        if "running" in name:
            assert torch.equal(running, statistics[name])
    ((pixels, labels),) = batches(1)
    facts = config.dataset_facts
    measured = evaluate(
        network, pixels, labels, facts.mean, facts.std, None,
        device=torch.device("cpu"), precision="fp16",
    )  # fmt: skip
    with torch.no_grad():
        o2.half.eval()
        logits = o2.logits(pixels.float() / 255)
        losses = functional.cross_entropy(logits, labels, reduction="none")
        assert measured.loss == float(losses.mean())


def test_fp16_keeps_coefficients_that_blocks_learn_in_fp32(small: Small) -> None:
    """O2 would round each of them to 11 bits before it is used: networks differ by no more."""
    config = config_of(
        small, {"name": "lm_resnet", "depth": 14}, {"k": [-0.1, 0], "trainable": True}
    )
    network, steps = stepping(config)
    o2 = O2(network, config)
    for pixels, labels in batches(1):
        loss, _ = steps.learn(pixels, labels)
        assert float(loss) == pytest.approx(float(o2.step(pixels, labels)), rel=1e-3)
        with torch.no_grad():
            for weight, rounded in zip(network.parameters(), o2.half.parameters(), strict=True):
                if weight.dim() == 0:
                    assert float(weight) != float(rounded)


def test_what_fp16_trains_averages_and_stores_is_fp32(small: Small) -> None:
    config = config_of(small, ZEROSNET, ema_decay=0.5)
    network, steps = stepping(config)
    averaged = build_network(config, "cpu")
    average = WeightAverage(network, averaged, 0.5)
    seen = []
    for number, (pixels, labels) in enumerate(batches(2)):
        steps.learn(pixels, labels)
        steps.step(1e-5)
        average.update(number)
        seen.append(copy.deepcopy(network.state_dict()))
    for name, value in averaged.state_dict().items():
        assert value.dtype in (torch.float32, torch.int64)
        if value.dtype == torch.float32:
            expected = (seen[0][name] + 2 * seen[1][name]) / 3
            torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-9)
    # A step of 1e-5 is lost in fp16 weights of about 1, and is there.
    weights = network.state_dict()
    moved = [name for name in weights if name.endswith("norm1.weight")]
    assert moved
    for name in moved:
        assert torch.equal(weights[name].half(), torch.ones_like(weights[name]).half())
        assert not torch.equal(weights[name], torch.ones_like(weights[name]))
    assert all(
        state["momentum_buffer"].dtype == torch.float32
        for state in steps._optimizer.state_dict()["state"].values()
    )


@pytest.mark.parametrize("scale", [1.0, 2.0**16])
def test_fp16_clips_the_gradient_without_its_scale(small: Small, scale: float) -> None:
    config = config_of(
        small, ZEROSNET, clip_norm=1e-3, optimizer={"momentum": 0, "weight_decay": 0}
    )
    network, steps = stepping(config)
    before = [weight.detach().clone() for weight in network.parameters()]
    steps.load_state_dict({**steps.state_dict(), "scale": scale})
    for pixels, labels in batches(1):
        steps.learn(pixels, labels)
        steps.step(1.0)
    moved = sum(
        float(((old - new.detach()) ** 2).sum())
        for old, new in zip(before, network.parameters(), strict=True)
    )
    assert math.sqrt(moved) == pytest.approx(1e-3, rel=1e-2)


def test_fp16_scales_twice_as_much_after_2000_steps_without_an_overflow(small: Small) -> None:
    _, steps = stepping(config_of(small, ZEROSNET))
    steps.load_state_dict({**steps.state_dict(), "_growth_tracker": 1_998})
    scales = []
    for pixels, labels in batches(2):
        steps.learn(pixels, labels)
        steps.step(0.1)
        scales.append(steps.state_dict()["scale"])
    assert scales == [2.0**16, 2.0**17]
