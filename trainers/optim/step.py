"""One step of training."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from trainers.config.run import RunConfig
from trainers.data.augment import normalize
from trainers.optim.optimizers import Optimizer


def training_step(
    passes: Callable[[Tensor], Tensor],
    optimizer: Optimizer,
    pixels: Tensor,
    labels: Tensor,
    learning_rate: float,
    config: RunConfig,
) -> tuple[Tensor, Tensor]:
    """One step of the optimizer; the batch's mean loss and how many were right, both ().

    On a CPU no step is made from a loss that is not finite; a GPU would have to be waited for.

    Args:
        passes: images (B, C, H, W), normalised, to logits (B, classes).
        optimizer: of the weights that `passes` has.
        pixels: (B, C, H, W), uint8.
        labels: (B,), int64, on the device of `pixels`.
    """
    device, facts = pixels.device, config.dataset_facts
    images = normalize(pixels, facts.mean, facts.std)
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
        logits = passes(images)
    logits = logits.float()
    loss = functional.cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    loss = loss.detach()
    if device.type != "cpu" or math.isfinite(float(loss)):
        optimizer.step(learning_rate)
    return loss, (logits.detach().argmax(1) == labels).sum()
