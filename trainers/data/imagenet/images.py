"""Encoded images of one part of ILSVRC2012, in its archive or in a folder for each class.

Both can be pickled, so that worker processes have copies, which open what they read for themselves.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.data.decoding import LARGEST_IMAGE
from trainers.data.imagenet.archives import Members
from trainers.storage.regular_file import open_regular

FORMATS = ("JPEG", "PNG")
"""As Pillow calls them. All are called .JPEG, and one of the training images is a PNG."""


@dataclass(eq=False)
class ArchivedImages:
    """Images inside an archive.

    Attributes:
        archive: the file.
        members: where each begins.
        labels: (N,), int64.
        classes: WordNet ids, in the order of labels.
        words: what they mean, by WordNet id; empty if that is not known.
    """

    archive: Path
    members: Members
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    words: Mapping[str, str] = field(default_factory=dict)
    formats: tuple[str, ...] = FORMATS
    _file: int | None = field(default=None, init=False, repr=False)

    @property
    def paths(self) -> NDArray[np.bytes_]:
        """(N,), bytes: "n01440764/n01440764_18.JPEG"."""
        return self.members.names

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        """What a message calls image `index`."""
        inside = os.fsdecode(self.members.names[index])
        return f"{inside} in {self.archive}{_meaning(inside, self.words)}"

    def read(self, index: int) -> bytes:
        """Image `index`, encoded; raises OSError if the archive has become shorter, or is gone."""
        if self._file is None:
            self._file = os.open(self.archive, os.O_RDONLY | os.O_CLOEXEC)
        size = int(self.members.sizes[index])
        # By a place of its own, since processes that were forked share that of an open file.
        content = os.pread(self._file, size, int(self.members.offsets[index]))
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


@dataclass(eq=False)
class FolderImages:
    """Images in files of their own.

    Attributes:
        folder: that of this part.
        paths: (N,), bytes, below it: "n01440764/n01440764_18.JPEG".
        labels, classes, words: as those of ArchivedImages.
    """

    folder: Path
    paths: NDArray[np.bytes_]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    words: Mapping[str, str] = field(default_factory=dict)
    formats: tuple[str, ...] = FORMATS

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        """What a message calls image `index`."""
        path = os.fsdecode(self.paths[index])
        return f"{self.folder / path}{_meaning(path, self.words)}"

    def read(self, index: int) -> bytes:
        """Image `index`, encoded; raises OSError or UnfitFileError if it cannot be read."""
        with open_regular(self.folder / os.fsdecode(self.paths[index]), LARGEST_IMAGE) as file:
            return file.read()

    def close(self) -> None:
        """Nothing is open."""


def _meaning(path: str, words: Mapping[str, str]) -> str:
    meant = words.get(path.partition("/")[0])
    return f" ({meant})" if meant else ""
