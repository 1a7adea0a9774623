"""The images of a packed copy."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.data.packed.layout import Pack
from trainers.errors import DatasetMissingError


@dataclass(eq=False)
class PackedImages:
    """One part of a packed copy.

    It is read and not mapped into memory: where a mapped file is cut short, or its disk fails, a
    look ends the process; and what was looked at counts as the process's own memory.

    Attributes:
        pack: the copy.
        first, count: of its images.
    """

    pack: Pack
    first: int
    count: int
    formats: tuple[str, ...] = ()
    _file: int | None = field(default=None, init=False, repr=False)

    def __len__(self) -> int:
        return self.count

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,), int64."""
        labels: NDArray[np.int64] = self._rows["label"].astype(np.int64)
        return labels

    def name(self, index: int) -> str:
        """What a message calls image `index`."""
        return f"{os.fsdecode(self.pack.paths[self.first + index])} in {self.pack.path}"

    def read(self, index: int) -> NDArray[np.uint8]:
        """Image `index`, uint8 (height, width, 3).

        Raises OSError if the copy is gone, ValueError if the image is damaged.
        """
        if self._file is None:
            self._file = os.open(self.pack.path, os.O_RDONLY | os.O_CLOEXEC)
        row = self.pack.table[self.first + index]
        height, width = int(row["height"]), int(row["width"])
        pixels = os.pread(self._file, height * width * 3, int(row["offset"]))
        if zlib.crc32(pixels) != row["crc32"]:
            raise ValueError(f"{self.pack.path} is damaged: remove it, and pack again")
        return np.frombuffer(pixels, dtype=np.uint8).reshape(height, width, 3)

    def close(self) -> None:
        """Closes the copy, which another read opens again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def _rows(self) -> NDArray[np.void]:
        return self.pack.table[self.first : self.first + self.count]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def __del__(self) -> None:
        self.close()


def parts(pack: Pack) -> tuple[PackedImages, PackedImages]:
    """The images for training, and those for tests."""
    train, test = pack.description.train, pack.description.test
    return PackedImages(pack, 0, train), PackedImages(pack, train, test)


def check_pixels(pack: Pack, progress: Callable[[int], None]) -> None:
    """Reads all images of a copy; raises DatasetMissingError if they are not those that it had."""
    digest = hashlib.sha256()
    done = 0
    try:
        for part in parts(pack):
            for index in range(len(part)):
                digest.update(part.read(index).data)
                done += 1
                progress(done)
    except (OSError, ValueError) as error:
        raise DatasetMissingError(f"dataset {pack.description.dataset!r}: {error}") from error
    if digest.hexdigest() != pack.description.pixels_sha256:
        raise DatasetMissingError(
            f"dataset {pack.description.dataset!r}: {pack.path} is damaged: remove it, and pack"
            " again"
        )
