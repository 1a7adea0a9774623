"""Images in files, as what packs and what reads packed copies needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class ImageFiles(Protocol):
    """Image files of one part of a dataset, in an order that is always the same.

    It can be pickled: worker processes open for themselves what they read.
    """

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,), int64."""

    @property
    def paths(self) -> NDArray[np.bytes_]:
        """(N,), bytes: what each is called, wherever they lie."""

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of labels."""

    @property
    def words(self) -> Mapping[str, str]:
        """What the classes mean, of those of which it is known."""

    @property
    def formats(self) -> tuple[str, ...]:
        """That the files may have, as Pillow calls them."""

    def __len__(self) -> int:
        """N."""

    def name(self, index: int) -> str:
        """What a message calls image `index`."""

    def read(self, index: int) -> bytes:
        """Image `index`, encoded; raises OSError or UnfitFileError if it cannot be read."""

    def close(self) -> None:
        """Closes what is open."""
