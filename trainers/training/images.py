"""The images of a run: read once, and cropped and flipped anew in each epoch.

Padded, cropped and flipped as in He et al. (2016). Every draw comes from a generator keyed by
(seed, purpose, epoch), so that an epoch needs nothing of the ones before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from trainers.config.run import RunConfig
from trainers.data.augment import crop_and_flip, draw, pad
from trainers.data.loading import load, training_subset
from trainers.rng import seeded_generator


class Batch(NamedTuple):
    """Images of one forward pass.

    Attributes:
        pixels: (B, C, H, W), uint8.
        labels: (B,), int64.
    """

    pixels: Tensor
    labels: Tensor


class RunImages:
    """All images of a run, on its device.

    Attributes:
        count: how many an epoch has.
        padded: (count, C, H + 2p, W + 2p), uint8, padded by p = the dataset's crop_padding.
        labels: (count,), int64.
        test_images: (M, C, H, W), uint8.
        test_labels: (M,), int64.

    Raises DatasetMissingError if the dataset is not on this machine.
    """

    def __init__(self, config: RunConfig, data_dir: Path, device: torch.device) -> None:
        self._config = config
        self._device = device
        dataset = config.dataset
        train_split, test_split = load(dataset.name, data_dir, config.dataset_facts)
        train_split = training_subset(train_split, dataset.subset)
        self.count = len(train_split)
        self.padded = pad(torch.tensor(train_split.images, device=device), dataset.crop_padding)
        self.labels = torch.tensor(train_split.labels, device=device)
        self.test_images = torch.tensor(test_split.images, device=device)
        self.test_labels = torch.tensor(test_split.labels, device=device)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """All training images once, in the order, crops and flips of this epoch."""
        seed, dataset = self._config.seed, self._config.dataset
        order = torch.randperm(self.count, generator=seeded_generator(seed, "order", epoch))
        offsets, flipped = draw(
            self.count,
            dataset.crop_padding,
            dataset.horizontal_flip,
            crops=seeded_generator(seed, "crops", epoch),
            flips=seeded_generator(seed, "flips", epoch),
        )
        order, offsets, flipped = (t.to(self._device) for t in (order, offsets, flipped))
        batch_size = self._config.training.batch_size
        for start in range(0, self.count, batch_size):
            batch = slice(start, start + batch_size)
            index = order[batch]
            pixels = crop_and_flip(
                self.padded, index, offsets[batch], flipped[batch], padding=dataset.crop_padding
            )
            yield Batch(pixels, self.labels[index])
