"""Noise on test images, as ZeroSNet measures robustness (section "Robustness" of the paper).

Each function makes a fresh perturbation, a `trainers.evaluation.measure.Passing`: called with batch
after batch of pixels in [0, 1], float32 (B, C, H, W), it returns them with the noise added, same
shape, not yet clipped. All draws are made on the CPU by the perturbation's own generator, seeded
with the config's seed and nothing else, in the batches of `EVALUATION_BATCH` images that it
is called with. So every network meets the same noise, on every device, and PyTorch's global
generator is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from trainers.config.evaluations import ConstantNoise, GaussianNoise, UniformNoise
from trainers.evaluation.measure import Logits, Passing


def _added(draw: Callable[[Sequence[int]], Tensor]) -> Passing:
    def perturb(pixels: Tensor, labels: Tensor, logits: Logits) -> Tensor:
        return pixels + draw(pixels.shape).to(pixels.device)

    return Passing(perturb, skip=draw)


def uniform(config: UniformNoise) -> Passing:
    """Adds noise uniform in [low, high)."""
    generator = torch.Generator().manual_seed(config.seed)

    def draw(shape: Sequence[int]) -> Tensor:
        noise = torch.rand(shape, generator=generator)
        return noise.mul_(config.high - config.low).add_(config.low)

    return _added(draw)


def gaussian(config: GaussianNoise) -> Passing:
    """Adds normal noise with mean 0 and standard deviation `std`."""
    generator = torch.Generator().manual_seed(config.seed)
    return _added(lambda shape: torch.randn(shape, generator=generator).mul_(config.std))


def constant(config: ConstantNoise) -> Passing:
    """Adds `value` to every pixel."""

    def perturb(pixels: Tensor, labels: Tensor, logits: Logits) -> Tensor:
        return pixels + config.value

    return Passing(perturb, skip=lambda shape: None)
