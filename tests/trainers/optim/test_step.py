"""What is learned from a batch: shares, mixtures, smoothing, clipping, and scales of fp16."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional

from trainers.config.run import RunConfig
from trainers.data.augment import normalize
from trainers.data.mixup import Mix, draw_mixes
from trainers.optim.optimizers import make_optimizer
from trainers.optim.step import Steps
from trainers.rng import seeded_generator

Small = Callable[..., dict[str, Any]]


class Linear(nn.Module):
    """No normalisation, so that a batch is the mean of its images."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.linear = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(images.flatten(1))
        return logits


def images(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 1, 8, 8), generator=generator).to(torch.uint8)
    return pixels, torch.randint(10, (count,), generator=generator)


def stepping(small: Small, network: nn.Module, **changes: Any) -> Steps:
    precision = changes.pop("precision", "fp32")
    training = {"epochs": 1, "optimizer": {"momentum": 0, "weight_decay": 0, "lr": 1.0}, **changes}
    config = RunConfig.model_validate(small(training=training, precision=precision))
    return Steps(network, make_optimizer(network, config.training.optimizer), config)


def step_of(small: Small, parts: list[int] | None = None, **changes: Any) -> dict[str, Tensor]:
    """What one step of rate 1 takes off the weights, learned from 10 images, in such parts."""
    network = Linear()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    steps = stepping(small, network, **changes)
    pixels, labels = images(10)
    for size in parts or [10]:
        steps.learn(pixels[:size], labels[:size], share=size / 10)
        pixels, labels = pixels[size:], labels[size:]
    steps.step(1.0)
    return {key: before[key] - value for key, value in network.state_dict().items()}


@pytest.mark.parametrize("parts", [[5, 5], [4, 4, 2], [9, 1]])
def test_batches_of_one_step_count_by_their_images(small: Small, parts: list[int]) -> None:
    whole, accumulated = step_of(small), step_of(small, parts)
    for key, value in whole.items():
        torch.testing.assert_close(accumulated[key], value, rtol=1e-4, atol=1e-6)


def test_gradients_are_those_of_the_last_step_alone(small: Small) -> None:
    network = Linear()
    steps = stepping(small, network)
    pixels, labels = images(20)
    steps.learn(pixels[:10], labels[:10])
    steps.step(0.0)
    steps.learn(pixels[10:], labels[10:])
    gradient = network.linear.weight.grad
    fresh = Linear()
    again = stepping(small, fresh)
    again.learn(pixels[10:], labels[10:])
    assert gradient is not None
    assert fresh.linear.weight.grad is not None
    assert torch.equal(gradient, fresh.linear.weight.grad)


def test_a_gradient_is_clipped_by_the_norm_of_all_of_it(small: Small) -> None:
    def norm(step: dict[str, Tensor]) -> float:
        return math.sqrt(sum(float((value**2).sum()) for value in step.values()))

    whole, clipped = step_of(small), step_of(small, clip_norm=0.01)
    assert norm(whole) > 0.1
    assert norm(clipped) == pytest.approx(0.01, rel=1e-3)
    for key, value in whole.items():
        expected = value * 0.01 / norm(whole)
        torch.testing.assert_close(clipped[key], expected, rtol=1e-3, atol=1e-6)
    assert norm(step_of(small, clip_norm=100)) == pytest.approx(norm(whole))


def test_a_gradient_is_clipped_entry_by_entry(small: Small) -> None:
    whole, clipped = step_of(small), step_of(small, clip_value=0.01)
    for key, value in whole.items():
        torch.testing.assert_close(clipped[key], value.clamp(-0.01, 0.01), rtol=1e-3, atol=1e-6)


def logits_of(pixels: Tensor, config: Any) -> Tensor:
    facts = config.dataset_facts
    return Linear()(normalize(pixels, facts.mean, facts.std)).detach()


def test_smoothing_spreads_a_part_of_each_label_over_all_classes(small: Small) -> None:
    pixels, labels = images(10)
    steps = stepping(small, Linear(), label_smoothing=0.2)
    loss, _ = steps.learn(pixels, labels)
    targets = 0.8 * functional.one_hot(labels, 10) + 0.2 / 10
    logs = logits_of(pixels, steps._config).log_softmax(1)
    assert float(loss) == pytest.approx(float(-(targets * logs).sum(1).mean()), rel=1e-5)


def test_mixed_images_have_mixed_labels(small: Small) -> None:
    pixels, labels = images(10)
    mix = Mix(0.7, torch.arange(9, -1, -1))
    steps = stepping(small, Linear(), mixup=1)
    loss, right = steps.learn(pixels, labels, mix=mix)
    facts = steps._config.dataset_facts
    inputs = normalize(pixels, facts.mean, facts.std)
    logits = Linear()(0.7 * inputs + 0.3 * inputs.flip(0)).detach()
    targets = 0.7 * functional.one_hot(labels, 10) + 0.3 * functional.one_hot(labels.flip(0), 10)
    expected = -(targets * logits.log_softmax(1)).sum(1).mean()
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    predicted = logits.argmax(1)
    assert float(right) == pytest.approx(float(targets[torch.arange(10), predicted].sum()))


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_of_mixtures_are_of_a_beta_distribution(alpha: float) -> None:
    generator = seeded_generator(0, "mixup", 1)
    mixes = list(draw_mixes(alpha, [3] * 2000, generator, torch.device("cpu")))
    shares = [mix.kept for mix in mixes]
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 0.001
    assert all(sorted(mix.partners.tolist()) == [0, 1, 2] for mix in mixes)
    assert len({tuple(mix.partners.tolist()) for mix in mixes}) == 6


def test_no_step_is_made_from_a_loss_that_is_not_finite(small: Small) -> None:
    network = Linear()
    with torch.no_grad():
        network.linear.bias[0] = math.inf
    before = network.linear.weight.clone()
    steps = stepping(small, network)
    pixels, labels = images(10)
    loss, _ = steps.learn(pixels[:5], labels[:5], share=0.5)
    assert not math.isfinite(float(loss))
    steps.learn(pixels[5:], labels[5:], share=0.5)
    steps.step(1.0)
    assert torch.equal(network.linear.weight, before)


def test_fp16_makes_no_step_from_a_gradient_that_overflows_and_scales_the_next_less(
    small: Small,
) -> None:
    network = Linear()
    steps = stepping(small, network, precision="fp16", clip_norm=1e6)
    pixels, labels = images(10)
    before = network.linear.weight.clone()
    steps.load_state_dict({**steps.state_dict(), "scale": 2.0**40})
    steps.learn(pixels, labels)
    steps.step(1.0)
    assert torch.equal(network.linear.weight, before)
    assert steps.state_dict()["scale"] == 2.0**39
    assert not steps.overflows
    steps.load_state_dict({**steps.state_dict(), "scale": 2.0**10})
    steps.learn(pixels, labels)
    steps.step(1.0)
    whole = step_of(small)["linear.weight"]
    torch.testing.assert_close(before - network.linear.weight, whole, rtol=0.05, atol=1e-3)
    steps.load_state_dict({**steps.state_dict(), "scale": 2.0**-25})
    assert steps.overflows


def test_scales_are_taken_if_they_are_some(small: Small) -> None:
    fp16, fp32 = (stepping(small, Linear(), precision=p) for p in ("fp16", "fp32"))
    state = fp16.state_dict()
    assert fp16.takes(state)
    assert fp32.takes({})
    for steps, wrong in (
        (fp16, {}),
        (fp32, state),
        (fp16, {**state, "scale": None}),
        (fp16, None),
        (fp16, {**state, "more": 1}),
    ):
        assert not steps.takes(wrong)
