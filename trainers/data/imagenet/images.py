"""Encoded images of one part of ILSVRC2012, in its archive or in a folder for each class.

Both can be pickled, so that worker processes have copies, which open what they read for themselves.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trainers.data.decoding import LARGEST_IMAGE, decoded
from trainers.storage.regular_file import open_regular

if TYPE_CHECKING:
    from PIL import Image


@dataclass(eq=False)
class ImageNetImages(ABC):
    """Images wherever they lie; a Source.

    Attributes:
        place: the archive, or the folder, that has them.
        paths: (N,), bytes: "n01440764/n01440764_18.JPEG".
        labels: (N,), int64.
        classes: WordNet ids, in the order of labels.
        words: what they mean, by WordNet id; empty if that is not known.
    """

    place: Path
    paths: NDArray[np.bytes_]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    words: Mapping[str, str]
    formats: ClassVar[tuple[str, ...]] = ("JPEG", "PNG")
    """All are called .JPEG, and one of the training images is a PNG."""

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> str:
        """Of image `index`, with its class, as in a folder."""
        return os.fsdecode(self.paths[index])

    def name(self, index: int) -> str:
        """See Source."""
        path = self.path(index)
        meant = self.words.get(path.partition("/")[0])
        return f"{path} in {self.place}" + (f" ({meant})" if meant else "")

    @abstractmethod
    def encoded(self, index: int) -> bytes:
        """Image `index`; raises OSError or UnfitFileError if it cannot be read."""

    def decoded(self, index: int, encoded: bytes) -> Image.Image:
        """The image in RGB; raises OSError or ValueError."""
        return decoded(encoded, self.formats)

    def read(self, index: int) -> bytes:
        """See Source."""
        return self.encoded(index)

    def close(self) -> None:  # noqa: B027 (of files of their own none stays open)
        """See Source."""


@dataclass(eq=False)
class ArchivedImages(ImageNetImages):
    """Images inside an archive.

    Attributes:
        offsets, sizes: (N,), int64, in bytes of the archive.
    """

    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    _file: int | None = field(default=None, init=False, repr=False)

    def encoded(self, index: int) -> bytes:
        """See ImageNetImages; raises OSError, too, if the archive has become shorter."""
        if self._file is None:
            self._file = os.open(self.place, os.O_RDONLY | os.O_CLOEXEC)
        size = int(self.sizes[index])
        # By a place of its own, since processes that were forked share that of an open file.
        content = os.pread(self._file, size, int(self.offsets[index]))
        if len(content) != size:
            raise OSError(f"{len(content)} of its {size} bytes are there")
        return content

    def close(self) -> None:
        """Closes the archive, which another read opens again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def __del__(self) -> None:
        self.close()


class FolderImages(ImageNetImages):
    """Images in files of their own."""

    def encoded(self, index: int) -> bytes:
        """See ImageNetImages."""
        with open_regular(self.place / self.path(index), LARGEST_IMAGE) as file:
            return file.read()
