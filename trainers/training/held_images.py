"""Training images in memory, cropped and flipped anew in each epoch.

Padded, cropped and flipped as in He et al. (2016). Every draw comes from a generator keyed by
(seed, purpose, epoch), so that an epoch needs nothing of the ones before it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from trainers.config.job import Member
from trainers.config.run import RunConfig
from trainers.data.augment import crop_and_flip, draw, pad
from trainers.data.loading import Split
from trainers.rng import seeded_generator
from trainers.training.batches import Batch, Dealing


class HeldTrainingImages:
    """All training images of a run, on its device.

    Attributes:
        count: how many an epoch has.
        padded: (count, C, H + 2p, W + 2p), uint8, padded by p = the dataset's crop_padding.
        labels: (count,), int64.
    """

    def __init__(
        self, config: RunConfig, split: Split, device: torch.device, member: Member | None = None
    ) -> None:
        self._config = config
        self._device = device
        self.count = len(split)
        self._dealing = Dealing(config, self.count, member)
        self.padded = pad(torch.tensor(split.images, device=device), config.dataset.crop_padding)
        self.labels: Tensor = torch.tensor(split.labels, device=device)

    def padded_images(self, least: int) -> tuple[Tensor, Tensor]:
        """See TrainingImages."""
        return self.padded, self.labels

    def batches(self, epoch: int) -> Iterator[Batch]:
        """See TrainingImages."""
        seed, dataset = self._config.seed, self._config.dataset
        offsets, flipped = draw(
            self.count,
            dataset.crop_padding,
            dataset.horizontal_flip,
            crops=seeded_generator(seed, "crops", epoch),
            flips=seeded_generator(seed, "flips", epoch),
        )
        order = self._dealing.order(epoch)
        order, offsets, flipped = (t.to(self._device) for t in (order, offsets, flipped))
        mixes = self._dealing.mixes(epoch, self._device)
        for shard, mix in zip(self._dealing.shards(), mixes, strict=True):
            batch = slice(shard.start, shard.stop)
            index = order[batch]
            pixels = crop_and_flip(
                self.padded, index, offsets[batch], flipped[batch], padding=dataset.crop_padding
            )
            yield Batch.of(shard, pixels, self.labels[index], mix)
