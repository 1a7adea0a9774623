"""Noise on test images, as ZeroSNet measures robustness (section "Robustness" of the paper).

Each function makes a fresh `trainers.evaluation.measure.Perturb`: called with batch after batch of
pixels in [0, 1], float32 (B, C, H, W), it returns them with the noise added, same shape, not yet
clipped. All draws are made on the CPU by the perturbation's own generator, seeded with the config's
seed and nothing else, in the batches of `measure.EVALUATION_BATCH` images that it is called with.
So every network meets the same noise, on every device, and PyTorch's global generator is not
touched.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainers.config.evaluations import ConstantNoise, GaussianNoise, UniformNoise
from trainers.evaluation.measure import Logits, Perturb


def uniform(config: UniformNoise) -> Perturb:
    """Adds noise uniform in [low, high)."""
    generator = torch.Generator().manual_seed(config.seed)

    def perturb(pixels: Tensor, labels: Tensor, logits: Logits) -> Tensor:
        noise = torch.rand(pixels.shape, generator=generator)
        noise = noise.mul_(config.high - config.low).add_(config.low)
        return pixels + noise.to(pixels.device)

    return perturb


def gaussian(config: GaussianNoise) -> Perturb:
    """Adds normal noise with mean 0 and standard deviation `std`."""
    generator = torch.Generator().manual_seed(config.seed)

    def perturb(pixels: Tensor, labels: Tensor, logits: Logits) -> Tensor:
        noise = torch.randn(pixels.shape, generator=generator).mul_(config.std)
        return pixels + noise.to(pixels.device)

    return perturb


def constant(config: ConstantNoise) -> Perturb:
    """Adds `value` to every pixel."""

    def perturb(pixels: Tensor, labels: Tensor, logits: Logits) -> Tensor:
        return pixels + config.value

    return perturb
