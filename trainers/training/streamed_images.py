"""Images that are read while a network trains.

A spec's crops and flips of whole images are drawn and done as those of images in memory are, so
that both train to the same bits. Crops of a random area, or of a random size, are drawn for each
image by what decodes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.config.job import Member
from trainers.config.run import RunConfig
from trainers.data.augment import crop_and_flip, draw, pad
from trainers.data.labelled_images import LabelledBatch
from trainers.data.streaming.draws import Key
from trainers.data.streaming.reading import Reader, Stream
from trainers.data.streaming.source import Streamed
from trainers.rng import seeded_generator
from trainers.training.batches import Batch, Dealing


class StreamedTrainingImages:
    """See TrainingImages."""

    def __init__(
        self,
        config: RunConfig,
        part: Streamed,
        reader: Reader,
        device: torch.device,
        member: Member | None = None,
    ) -> None:
        self._config = config
        self._part = part
        self._reader = reader
        self._device = device
        self.count = len(part)
        self._dealing = Dealing(config, self.count, member)
        self._labels = torch.from_numpy(part.labels)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """See TrainingImages."""
        order = self._dealing.order(epoch)
        shards = list(self._dealing.shards())
        mine = [order[shard.start : shard.stop] for shard in shards]
        drawn = self._part.view.is_drawn
        key = Key(self._config.seed, epoch) if drawn else None
        augmented = _as_they_are if drawn else self._augmentation(epoch)
        indices = self._part.places[torch.cat(mine).numpy()]
        mixes = self._dealing.mixes(epoch, self._device)
        with closing(self._reader.stream(0, indices, key)) as stream:
            for shard, places, mix in zip(shards, mine, mixes, strict=True):
                taken = _taken(stream, len(places), self._part.shape[1:], self._device)
                pixels = augmented(taken, slice(shard.start, shard.stop))
                yield Batch.of(shard, pixels, self._labels[places].to(self._device), mix)

    def padded_images(self, least: int) -> tuple[Tensor, Tensor]:
        """See TrainingImages."""
        count = min(least, self.count)
        key = Key(self._config.seed, 0) if self._part.view.is_drawn else None
        with closing(self._reader.stream(0, self._part.places[:count], key)) as stream:
            images = _taken(stream, count, self._part.shape[1:], self._device)
        return pad(images, self._config.dataset.crop_padding), self._labels[:count].to(self._device)

    def _augmentation(self, epoch: int) -> Callable[[Tensor, slice], Tensor]:
        """What is done to a batch at these places of the order, as in HeldTrainingImages."""
        seed, dataset = self._config.seed, self._config.dataset
        padding = dataset.crop_padding
        offsets, flipped = draw(
            self.count,
            padding,
            dataset.horizontal_flip,
            crops=seeded_generator(seed, "crops", epoch),
            flips=seeded_generator(seed, "flips", epoch),
        )

        def augmented(images: Tensor, places: slice) -> Tensor:
            index = torch.arange(len(images), device=self._device)
            return crop_and_flip(
                pad(images, padding),
                index,
                offsets[places].to(self._device),
                flipped[places].to(self._device),
                padding=padding,
            )

        return augmented


class StreamedImages:
    """See LabelledImages.

    Attributes:
        labels: (N,), int64, on the CPU.
    """

    def __init__(self, part: Streamed, reader: Reader, number: int, device: torch.device) -> None:
        self._part = part
        self._reader = reader
        self._number = number
        self._device = device
        self.labels: Tensor = torch.from_numpy(part.labels)

    def __len__(self) -> int:
        return len(self._part)

    def batches(self, size: int, *, rank: int = 0, processes: int = 1) -> Iterator[LabelledBatch]:
        """See LabelledImages."""
        starts = range(rank * size, len(self), processes * size)
        slices = [slice(start, min(start + size, len(self))) for start in starts]
        chosen = [self._part.places[batch] for batch in slices]
        with closing(self._stream(chosen)) as stream:
            for start, batch in zip(starts, slices, strict=True):
                pixels = self._taken(stream, batch.stop - batch.start)
                yield LabelledBatch(start // size, pixels, self.labels[batch].to(self._device))

    def at(self, places: Tensor) -> Tensor:
        """See LabelledImages."""
        chosen = self._part.places[places.cpu().numpy()]
        with closing(self._stream([chosen])) as stream:
            return self._taken(stream, len(chosen))

    def _stream(self, chosen: Sequence[NDArray[np.int64]]) -> Stream:
        indices = np.concatenate([np.empty(0, dtype=np.int64), *chosen])
        return self._reader.stream(self._number, indices, None)

    def _taken(self, stream: Stream, count: int) -> Tensor:
        return _taken(stream, count, self._part.shape[1:], self._device)


def _taken(stream: Stream, count: int, image: tuple[int, ...], device: torch.device) -> Tensor:
    """The next images, uint8 (count, C, H, W), on the device."""
    # From pinned memory a GPU copies while it computes.
    images = torch.empty((count, *image), dtype=torch.uint8, pin_memory=device.type == "cuda")
    stream.take(images.numpy())
    return images.to(device, non_blocking=True)


def _as_they_are(images: Tensor, places: slice) -> Tensor:
    return images
