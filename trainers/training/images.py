"""The images of a run: read once, and cropped and flipped anew in each epoch.

Padded, cropped and flipped as in He et al. (2016). Every draw comes from a generator keyed by
(seed, purpose, epoch), so that an epoch needs nothing of the ones before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from trainers.config.run import RunConfig
from trainers.data.augment import crop_and_flip, draw, pad
from trainers.data.loading import Split, load, training_subset
from trainers.data.mixup import Mix, draw_mixes
from trainers.rng import seeded_generator


class Batch(NamedTuple):
    """Images of one forward pass.

    Attributes:
        pixels: (B, C, H, W), uint8.
        labels: (B,), int64.
        share: of the batch among all images of its step of the optimizer.
        ends_step: whether no other batch of that step follows.
        mix: how the images are mixed with each other; None not to mix them.
    """

    pixels: Tensor
    labels: Tensor
    share: float
    ends_step: bool
    mix: Mix | None


class RunImages:
    """All images of a run, on its device.

    Attributes:
        count: how many an epoch has.
        padded: (count, C, H + 2p, W + 2p), uint8, padded by p = the dataset's crop_padding.
        labels: (count,), int64.
        test_images: (M, C, H, W), uint8.
        test_labels: (M,), int64.
        validation: images and labels that are left out of training, as those for tests are; None
            for none.

    Raises DatasetMissingError if the dataset is not on this machine.
    """

    def __init__(self, config: RunConfig, data_dir: Path, device: torch.device) -> None:
        self._config = config
        self._device = device
        dataset = config.dataset
        train_split, test_split = load(dataset.name, data_dir, config.dataset_facts)
        train_split = training_subset(train_split, dataset.subset)
        train_split, validation = _split(config, train_split)
        self.count = len(train_split)
        self.padded = pad(torch.tensor(train_split.images, device=device), dataset.crop_padding)
        self.labels = torch.tensor(train_split.labels, device=device)
        self.test_images = torch.tensor(test_split.images, device=device)
        self.test_labels = torch.tensor(test_split.labels, device=device)
        self.validation: tuple[Tensor, Tensor] | None = None
        if validation is not None:
            images, labels = validation.images, validation.labels
            self.validation = (
                torch.tensor(images, device=device),
                torch.tensor(labels, device=device),
            )

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
        recipe = self._config.training
        mixes = self._mixes(epoch)
        a_step = recipe.images_a_step
        for start in range(0, self.count, recipe.batch_size):
            batch = slice(start, start + recipe.batch_size)
            index = order[batch]
            pixels = crop_and_flip(
                self.padded, index, offsets[batch], flipped[batch], padding=dataset.crop_padding
            )
            begin = start // a_step * a_step
            end = min(begin + a_step, self.count)
            yield Batch(
                pixels,
                self.labels[index],
                share=len(index) / (end - begin),
                ends_step=start + len(index) == end,
                mix=next(mixes, None),
            )

    def _mixes(self, epoch: int) -> Iterator[Mix]:
        recipe = self._config.training
        if recipe.mixup is None:
            return iter(())
        starts = range(0, self.count, recipe.batch_size)
        sizes = [min(recipe.batch_size, self.count - start) for start in starts]
        generator = seeded_generator(self._config.seed, "mixup", epoch)
        return draw_mixes(recipe.mixup, sizes, generator, self._device)


def _split(config: RunConfig, train: Split) -> tuple[Split, Split | None]:
    """What is trained on, and what is validated on, each in the order of the dataset."""
    size = config.training.validation_images(len(train))
    if not size:
        return train, None
    generator = seeded_generator(config.seed, "validation")
    order = torch.randperm(len(train), generator=generator).numpy()
    trained, validated = np.sort(order[size:]), np.sort(order[:size])
    return (
        Split(train.images[trained], train.labels[trained]),
        Split(train.images[validated], train.labels[validated]),
    )
