"""Image files, as what makes packed copies, and what looks for them, needs them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trainers.data.streaming.source import Source, Streamed

if TYPE_CHECKING:
    from PIL import Image


@runtime_checkable
class ImageFiles(Source, Protocol):
    """A source of files."""

    def path(self, index: int) -> str:
        """What the image is called, wherever the dataset lies."""

    def encoded(self, index: int) -> bytes:
        """The file; raises OSError or UnfitFileError if it cannot be read."""

    def decoded(self, index: int, encoded: bytes) -> Image.Image:
        """The image in RGB; raises OSError or ValueError if it is damaged."""


@dataclass(frozen=True, eq=False)
class FilesOfPart:
    """The image files of one part of a dataset, in its order.

    Attributes:
        files: where they are.
        places: (N,), int64, which of these.
    """

    files: ImageFiles
    places: NDArray[np.int64]

    @classmethod
    def of(cls, part: Streamed) -> FilesOfPart:
        """Those that are streamed; raises TypeError if it is no files that are."""
        if not isinstance(part.source, ImageFiles):
            raise TypeError(f"{type(part.source).__name__} has no files")
        return cls(part.source, part.places)

    @classmethod
    def all_of(cls, files: ImageFiles) -> FilesOfPart:
        """All of these."""
        return cls(files, np.arange(len(files.labels), dtype=np.int64))

    def __len__(self) -> int:
        return len(self.places)

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,), int64."""
        return self.files.labels[self.places]

    def paths(self) -> Iterable[bytes]:
        """Of each image."""
        return (os.fsencode(self.files.path(index)) for index in self.places.tolist())


def digest_of(*parts: FilesOfPart) -> str:
    """The SHA-256 of which images there are, in which order, and with which labels."""
    digest = hashlib.sha256()
    for part in parts:
        for path in part.paths():
            digest.update(path + b"\n")
        digest.update(part.labels.astype("<i8").tobytes())
    return digest.hexdigest()
