"""The config of a measured run, images of CIFAR-10's shape, and their batches on a device.

Throughput does not depend on what the images show, so they are noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor

from trainers.config.run import Precision, RunConfig
from trainers.data.augment import crop_and_flip, draw, pad
from trainers.rng import seeded_generator

BATCH_SIZE = 128
EPOCHS = 160
TRAINING_IMAGES = 50_000
PRECISIONS: tuple[Precision, Precision] = ("fp32", "bf16")
BATCHES_A_GATHER = 64

Model = dict[str, Any]
"""A multistep network as a spec writes it."""

Batch = tuple[Tensor, Tensor]
"""Pixels and labels: (B, 3, 32, 32), uint8, and (B,), int64. Of K fused runs: (B, 3K, 32, 32),
run after run, and (K, B)."""


def config_of(
    model: Model, precision: Precision, seed: int = 0, scheme: dict[str, Any] | None = None
) -> RunConfig:
    """The published recipe for CIFAR-10; the model's own scheme unless one is given."""
    return RunConfig.model_validate(
        {
            "model": model,
            "scheme": scheme,
            "dataset": "cifar10",
            "training": {"epochs": EPOCHS, "batch_size": BATCH_SIZE},
            "precision": precision,
            "seed": seed,
        }
    )


def noise_images(images: int, config: RunConfig) -> Batch:
    """(N, C, H, W), uint8, and (N,), int64, on the CPU; the same at every call."""
    facts = config.dataset_facts
    generator = torch.Generator().manual_seed(0)
    shape = (images, facts.channels, facts.size, facts.size)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return pixels, torch.randint(0, facts.classes, (images,), generator=generator)


@dataclass(frozen=True)
class TrainingSet:
    """A training set on a device.

    Attributes:
        padded: (N, C, H + 2p, W + 2p), uint8.
        labels: (N,), int64.
    """

    padded: Tensor
    labels: Tensor

    @classmethod
    def on(cls, device: torch.device, images: Batch, config: RunConfig) -> TrainingSet:
        pixels, labels = images
        padded = pad(pixels.to(device), config.dataset.crop_padding)
        return cls(padded=padded, labels=labels.to(device))


def chunks(
    data: TrainingSet, config: RunConfig, batches_a_gather: int = BATCHES_A_GATHER
) -> Iterator[Batch]:
    """Augmented images of one epoch after the other, without end, `batches_a_gather` batches at a
    time: draws as `trainers.training.train` makes them, crops and flips by one gather.

    Only whole batches: the 80 images left over of 50,000 would need a graph of their own, for
    0.2 % of the work.
    """
    images, device = len(data.labels), data.padded.device
    whole = images // BATCH_SIZE * BATCH_SIZE
    if not whole:
        raise ValueError(f"{images} images are less than a batch of {BATCH_SIZE}")
    padding = config.dataset.crop_padding
    for epoch in count(1):
        order = torch.randperm(images, generator=seeded_generator(config.seed, "order", epoch))
        offsets, flipped = draw(
            images,
            padding,
            config.dataset.horizontal_flip,
            crops=seeded_generator(config.seed, "crops", epoch),
            flips=seeded_generator(config.seed, "flips", epoch),
        )
        order, offsets, flipped = (_sent(drawn, device) for drawn in (order, offsets, flipped))
        for start in range(0, whole, batches_a_gather * BATCH_SIZE):
            part = slice(start, min(start + batches_a_gather * BATCH_SIZE, whole))
            index = order[part]
            pixels = crop_and_flip(
                data.padded, index, offsets[part], flipped[part], padding=padding
            )
            yield pixels, data.labels[index]


def batches(
    data: TrainingSet, config: RunConfig, batches_a_gather: int = BATCHES_A_GATHER
) -> Iterator[Batch]:
    """The batches of `chunks`."""
    for pixels, labels in chunks(data, config, batches_a_gather):
        for start in range(0, len(labels), BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            yield pixels[batch], labels[batch]


def fused_batches(data: TrainingSet, configs: list[RunConfig]) -> Iterator[Batch]:
    """Each step's batches of several runs in one, each run with its own draws."""
    for parts in zip(*(chunks(data, config) for config in configs), strict=True):
        pixels = torch.cat([pixels for pixels, _ in parts], dim=1)
        labels = torch.stack([labels for _, labels in parts])
        for start in range(0, len(pixels), BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            yield pixels[batch], labels[:, batch]


BatchSource = Callable[[], Iterator[Batch]]
"""Starts the batches of a run from its first epoch."""


def _sent(drawn: Tensor, device: torch.device) -> Tensor:
    """On the device, without waiting for what a GPU still has to do."""
    if device.type != "cuda":
        return drawn.to(device)
    return drawn.pin_memory().to(device, non_blocking=True)
