"""Where the images of one part of a dataset lie, and what is seen of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from trainers.data.decoding import decoded
from trainers.data.streaming.draws import Key
from trainers.data.streaming.views import View
from trainers.errors import DatasetMissingError, UnfitFileError

if TYPE_CHECKING:
    from PIL import Image


class Source(Protocol):
    """The images of one part of a dataset, each read when it is asked for.

    It is pickled for worker processes, which open for themselves what they read. Its arrays of
    NumPy are shared between these, so that what is long belongs there.

    """

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,), int64."""

    @property
    def formats(self) -> tuple[str, ...]:
        """That encoded images may have, as Pillow calls them."""

    def name(self, index: int) -> str:
        """What a message calls this image, such as its path."""

    def read(self, index: int) -> bytes | NDArray[np.uint8] | Image.Image:
        """The image: encoded; or in RGB, (H, W, 3), or as Pillow has it.

        Raises OSError, ValueError or UnfitFileError if it cannot be read, or is damaged.
        """

    def close(self) -> None:
        """Closes what reading has opened; more can be read afterwards."""


class DamagedImageError(DatasetMissingError):
    """An image cannot be read; the message names it."""


@dataclass(frozen=True, eq=False)
class Streamed:
    """One part of a dataset that is read while a network trains; as `Split` is one in memory.

    Attributes:
        source: of the images.
        view: what a network sees of them.
        places: (N,), int64, which images of the source, in this order.
        damaged: images of the dataset's part that are left out, because they cannot be decoded.
    """

    source: Source
    view: View
    places: NDArray[np.int64]
    damaged: int = 0

    @classmethod
    def all_of(cls, source: Source, view: View) -> Streamed:
        """All images of a source, in its order."""
        return cls(source, view, np.arange(len(source.labels), dtype=np.int64))

    def __len__(self) -> int:
        return len(self.places)

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,), int64."""
        return self.source.labels[self.places]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W), of what the network sees."""
        return len(self), 3, self.view.size, self.view.size

    def of(self, places: NDArray[np.int64]) -> Streamed:
        """These of its images."""
        return replace(self, places=self.places[places])

    def close(self) -> None:
        """Closes what reading has opened."""
        self.source.close()


def read_view(source: Source, view: View, index: int, key: Key | None) -> NDArray[np.uint8]:
    """What is seen of one image: (3, size, size), uint8.

    Raises DamagedImageError.
    """
    from PIL import Image

    try:
        stored = source.read(index)
        if isinstance(stored, bytes):
            image = decoded(stored, source.formats)
        else:
            image = Image.fromarray(stored) if isinstance(stored, np.ndarray) else stored
        return view.of(image, key, index)
    except (OSError, ValueError, UnfitFileError) as error:
        raise DamagedImageError(
            f"{source.name(index)} is damaged ({error}). Replace it, or move it away;"
            " an image_folder with `damaged: skip` leaves such images out"
        ) from error
