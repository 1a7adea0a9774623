"""What a run trains on, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from trainers.config.job import Member
from trainers.config.run import RunConfig
from trainers.data.mixup import Mix, draw_mixes
from trainers.data.sharding import Shard, shards
from trainers.rng import seeded_generator


class Batch(NamedTuple):
    """Images of one forward pass of one process.

    Attributes:
        pixels: (B, C, H, W), uint8; B is 0 where other processes have what is left of an epoch.
        labels: (B,), int64.
        before: images of the same forward pass that processes of a lower rank have.
        whole: images of the same forward pass, of all processes together.
        share: of the batch among all images of its step of the optimizer, of all processes.
        ends_step: whether no other batch of that step follows.
        mix: how the images are mixed with each other; None not to mix them.
    """

    pixels: Tensor
    labels: Tensor
    before: int
    whole: int
    share: float
    ends_step: bool
    mix: Mix | None

    @classmethod
    def of(cls, shard: Shard, pixels: Tensor, labels: Tensor, mix: Mix | None) -> Batch:
        """The images of this shard."""
        told = shard.before, shard.whole, shard.share, shard.ends_step
        return cls(pixels, labels, *told, mix)


class TrainingImages(Protocol):
    """The images that a run trains on, in memory or streamed.

    Attributes:
        count: how many an epoch has, for all processes together.
    """

    count: int

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of this process in this epoch: of all processes equally many."""

    def padded_images(self, least: int) -> tuple[Tensor, Tensor]:
        """At least so many images, or all, and their labels, on the device of the run.

        Images are uint8 (N, C, H + 2p, W + 2p), padded by p = the dataset's crop_padding; labels
        are int64 (N,).
        """


class Dealing:
    """In which order the images of an epoch come, to which process, and how they are mixed.

    Attributes:
        rank, processes: of this process, and how many there are.
    """

    def __init__(self, config: RunConfig, count: int, member: Member | None) -> None:
        self._config = config
        self._count = count
        self.rank = 0 if member is None else member.rank
        self.processes = config.training.processes
        if self.processes != (1 if member is None else member.processes):
            raise ValueError(f"{self.processes} processes train this run, and one is {member}")

    def order(self, epoch: int) -> Tensor:
        """(count,), int64: the places of all images in the order of this epoch."""
        generator = seeded_generator(self._config.seed, "order", epoch)
        return torch.randperm(self._count, generator=generator)

    def shards(self) -> Iterator[Shard]:
        """The batches of this process."""
        recipe = self._config.training
        return shards(
            self._count,
            recipe.batch_size,
            accumulation=recipe.accumulation or 1,
            rank=self.rank,
            processes=self.processes,
        )

    def mixes(self, epoch: int, device: torch.device) -> Iterator[Mix | None]:
        """One for each batch of this process."""
        sizes = [shard.size for shard in self.shards()]
        alpha = self._config.training.mixup
        if alpha is None:
            return iter([None] * len(sizes))
        generator = seeded_generator(self._config.seed, "mixup", epoch)
        return draw_mixes(alpha, sizes, generator, device)
