"""Which images a folder with a sub-folder for each class has, and each of them as it is asked for.

Two layouts: train/CLASS/*.jpg and test/CLASS/*.jpg; or CLASS/*.jpg alone, and then an image is a
test image if the SHA-256 of CLASS/NAME says so, one in five. That depends on nothing but its own
path: an image that is added or removed moves no other.

A million names take a few tens of megabytes: they are kept as one array of bytes, and not as
objects.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainers.data.decoding import LARGEST_IMAGE, decoded
from trainers.errors import DatasetMissingError
from trainers.storage.regular_file import open_regular

if TYPE_CHECKING:
    from PIL import Image

FORMATS = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".pgm": "PPM",
    ".png": "PNG",
    ".ppm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
"""By suffix, in lower case: the one format, as Pillow calls it, that such a file is read as.

Files with any other suffix, and hidden ones, are passed over.
"""

TEST_SHARE = 0.2
"""Of the images of a folder that has no parts of its own."""

_MOST_NAMED = 5


@dataclass(frozen=True, eq=False)
class Listing:
    """The images of one part, ordered by class and then by name; a Source.

    Attributes:
        root: of the dataset.
        folders: of each class, below the root.
        names: all file names one after the other, as the system has them: uint8.
        ends: (N,), int64, where each ends in `names`.
        labels: (N,), int64, each the place of its folder in `folders`.
    """

    root: Path
    folders: tuple[str, ...]
    names: NDArray[np.uint8]
    ends: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, chosen: NDArray[np.bool_]) -> Listing:
        """Those of its images, of which `chosen`, (N,), is true."""
        if chosen.all():
            return self
        lengths = np.diff(self.ends, prepend=0)
        return replace(
            self,
            names=self.names[np.repeat(chosen, lengths)],
            ends=np.cumsum(lengths[chosen]),
            labels=self.labels[chosen],
        )

    @property
    def formats(self) -> tuple[str, ...]:
        """See Source."""
        return tuple(dict.fromkeys(FORMATS.values()))

    def path(self, index: int) -> str:
        """Of an image, below the root."""
        start = int(self.ends[index - 1]) if index else 0
        name = self.names[start : int(self.ends[index])].tobytes()
        return f"{self.folders[self.labels[index]]}/{os.fsdecode(name)}"

    def name(self, index: int) -> str:
        """See Source."""
        return str(self.root / self.path(index))

    def encoded(self, index: int) -> bytes:
        """The file; raises OSError or UnfitFileError."""
        with open_regular(self.root / self.path(index), LARGEST_IMAGE) as file:
            return file.read()

    def decoded(self, index: int, encoded: bytes) -> Image.Image:
        """The image, of what its suffix says and nothing else; raises OSError or ValueError."""
        return decoded(encoded, (FORMATS[PurePath(self.path(index)).suffix.lower()],))

    def read(self, index: int) -> Image.Image:
        """See Source."""
        return self.decoded(index, self.encoded(index))

    def close(self) -> None:
        """Nothing is open."""


def listed(root: Path, classes: Sequence[str] | int) -> tuple[Listing, Listing]:
    """The training and the test images.

    Args:
        root: of the dataset.
        classes: names of sub-folders, sorted, or how many there are.

    Raises:
        DatasetMissingError: there is no such folder, or a class is missing or has no image.
        OSError: a folder cannot be read.
    """
    wanted = f"{classes} classes" if isinstance(classes, int) else f"classes {some(classes)}"
    if not root.is_dir():
        raise error(
            f"there is no folder {root}. Put one there with a sub-folder of images for each of"
            f" the {wanted}: in train/ and test/, or without these"
        )
    in_parts = (root / "train").is_dir() and (root / "test").is_dir()
    names = _class_names(root / "train" if in_parts else root, classes, wanted)
    if not in_parts:
        train, test = _Names(root), _Names(root)
        for name in names:
            files = _of_class(root / name)
            in_test = [_is_test(f"{name}/{file}") for file in files]
            for part, is_test in ((train, False), (test, True)):
                chosen = zip(files, in_test, strict=True)
                part.add(name, [file for file, tests in chosen if tests == is_test])
        return train.listing(), test.listing()
    if _class_names(root / "test", classes, wanted) != names:
        raise error(f"{root} has other classes in test/ than {some(names)} in train/")
    train, test = _Names(root), _Names(root)
    for part, folder in ((train, "train"), (test, "test")):
        for name in names:
            part.add(f"{folder}/{name}", _of_class(root / folder / name))
    return train.listing(), test.listing()


def error(problem: str) -> DatasetMissingError:
    """Of this dataset."""
    return DatasetMissingError(f"dataset 'image_folder': {problem}")


def some(names: Sequence[str]) -> str:
    """The first of them, for a message."""
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown}, ..." if len(names) > _MOST_NAMED else shown or "none"


def _class_names(folder: Path, classes: Sequence[str] | int, wanted: str) -> list[str]:
    with os.scandir(folder) as entries:
        found = sorted(
            entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")
        )
    right = len(found) == classes if isinstance(classes, int) else set(classes) <= set(found)
    if not right:
        raise error(
            f"{folder} should have a sub-folder for each of the {wanted}, and has"
            f" {len(found)}: {some(found)}"
        )
    return found if isinstance(classes, int) else list(classes)


def _of_class(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        files = sorted(
            entry.name
            for entry in entries
            if os.path.splitext(entry.name)[1].lower() in FORMATS and not entry.name.startswith(".")
        )
    if not files:
        raise error(f"{folder} has no image ({', '.join(FORMATS)})")
    return files


class _Names:
    """A listing in the making: of one class at a time there is a list of names."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: list[str] = []
        self._names = bytearray()
        self._lengths: list[NDArray[np.int64]] = []

    def add(self, folder: str, files: Sequence[str]) -> None:
        """The files of the next class."""
        encoded = [os.fsencode(file) for file in files]
        self._folders.append(folder)
        self._names += b"".join(encoded)
        self._lengths.append(np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded)))

    def listing(self) -> Listing:
        """Of all that was added."""
        counts = [len(of_folder) for of_folder in self._lengths]
        return Listing(
            self._root,
            tuple(self._folders),
            np.frombuffer(self._names, dtype=np.uint8),
            np.cumsum(np.concatenate(self._lengths)),
            np.repeat(np.arange(len(counts), dtype=np.int64), counts),
        )


def _is_test(path: str) -> bool:
    digest = hashlib.sha256(path.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") < TEST_SHARE * 2**64
