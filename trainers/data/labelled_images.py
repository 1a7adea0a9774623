"""Images with labels in an order that is always the same: what a network is measured on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor


class LabelledBatch(NamedTuple):
    """Images that are measured together.

    Attributes:
        number: of the batch among all batches, from 0.
        pixels: (B, C, H, W), uint8.
        labels: (B,), int64.
    """

    number: int
    pixels: Tensor
    labels: Tensor


class LabelledImages(Protocol):
    """Images that are read batch by batch, wherever they lie."""

    @property
    def labels(self) -> Tensor:
        """(N,), int64, on any device; N of all processes together."""

    def __len__(self) -> int:
        """N, of all processes together."""

    def batches(self, size: int, *, rank: int = 0, processes: int = 1) -> Iterator[LabelledBatch]:
        """Batches of `size` images, the last one of those that are left, in their order.

        Of several processes each has every processes-th batch, beginning with the one whose number
        is its rank.
        """

    def at(self, places: Tensor) -> Tensor:
        """The images, uint8 (K, C, H, W), of these places, (K,), int64, on any device."""


@dataclass(frozen=True, eq=False)
class HeldImages:
    """All images in memory.

    Attributes:
        images: (N, C, H, W), uint8.
        labels: (N,), int64.

    Raises ValueError if there is not one label for each image.
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"{len(self.images)} images and labels of shape {tuple(self.labels.shape)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, size: int, *, rank: int = 0, processes: int = 1) -> Iterator[LabelledBatch]:
        """See LabelledImages."""
        for start in range(rank * size, len(self), processes * size):
            batch = slice(start, start + size)
            yield LabelledBatch(start // size, self.images[batch], self.labels[batch])

    def at(self, places: Tensor) -> Tensor:
        """See LabelledImages."""
        return self.images[places.to(self.images.device)]
