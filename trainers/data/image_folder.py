"""Reading a folder of images with a sub-folder for each class, such as Dogs vs. Cats.

Two layouts: train/CLASS/*.jpg and test/CLASS/*.jpg; or CLASS/*.jpg alone, and then an image is a
test image if the SHA-256 of CLASS/NAME says so, one in five. That depends on nothing but its own
path: an image that is added or removed moves no other.

Each image is decoded by Pillow, as what its suffix says and nothing else. It is converted to RGB
(grey is repeated, transparency is dropped), and its largest centred square is resized by bilinear
interpolation with antialiasing. This is resizing the shorter side and cropping the centre: shapes
stay as they are, where squeezing both sides to one length would flatten them by another factor in
each image. Orientation in EXIF is not looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from trainers.data.decoding import LARGEST_IMAGE, decoded
from trainers.data.loading import Split
from trainers.errors import DatasetMissingError, UnfitFileError
from trainers.storage.regular_file import open_regular, unfit

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

_CACHE_FORMAT = 2
_MOST_NAMED = 5


@dataclass(frozen=True)
class ImageFolder:
    """What is to be read of a folder; called with the data directory, it reads.

    Decoded images are cached next to the folder, in .NAME-SIZE-KEY.npz; the key is of the images'
    paths, sizes and times of change, so that a changed folder is read again. Where nothing can be
    written, they are decoded by each process.

    Attributes:
        folder: below the data directory.
        size: pixels a side.
        classes: names of sub-folders, sorted, or how many there are.
        images: numbers of training and test images that are expected; None for any.
        content: expected SHA-256, see `trainers.config.image_folder`; None for any.
    """

    folder: str
    size: int
    classes: tuple[str, ...] | int
    images: tuple[int, int] | None = None
    content: str | None = None

    def __call__(self, data_dir: Path) -> tuple[Split, Split]:
        """(train, test), images uint8 (N, 3, size, size), ordered by class and then by name.

        Raises:
            DatasetMissingError: there is no such folder, a class or an image is missing or
                damaged, what has the name of an image is no file, or it is not what the spec says.
        """
        root = data_dir / self.folder
        try:
            return self._read(root)
        except OSError as error:
            raise self._error(f"{root} cannot be read: {error}") from error

    def _read(self, root: Path) -> tuple[Split, Split]:
        train, test = self._listed(root)
        found = len(train), len(test)
        if self.images is not None and found != self.images:
            raise self._error(
                f"{root} has {found[0]} training and {found[1]} test images, where the spec"
                f" expects {self.images[0]} and {self.images[1]}"
            )
        for count, part in zip(found, ("training", "test"), strict=True):
            if not count:
                raise self._error(f"{root} has {sum(found)} images, and no {part} image among them")
        files = [*train, *test]
        images, content = self._decoded(root, [file for file, _ in files])
        if self.content not in (None, content):
            raise self._error(
                f"{root} holds other images than the spec expects: their content is {content},"
                f" not {self.content}"
            )
        labels = np.array([label for _, label in files], dtype=np.int64)
        return (
            Split(images[: len(train)], labels[: len(train)]),
            Split(images[len(train) :], labels[len(train) :]),
        )

    def _error(self, problem: str) -> DatasetMissingError:
        return DatasetMissingError(f"dataset 'image_folder': {problem}")

    def _listed(self, root: Path) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """The training and the test images: path below the root, and label."""
        wanted = f"{self.classes} classes"
        if not isinstance(self.classes, int):
            wanted = f"classes {_some(self.classes)}"
        if not root.is_dir():
            raise self._error(
                f"there is no folder {root}. Put one there with a sub-folder of images for each of"
                f" the {wanted}: in train/ and test/, or without these"
            )
        if not ((root / "train").is_dir() and (root / "test").is_dir()):
            names = self._class_names(root, wanted)
            every = [item for name in names for item in self._of_class(root, name, names)]
            train = [item for item in every if not _is_test(item[0])]
            return train, [item for item in every if _is_test(item[0])]
        names = self._class_names(root / "train", wanted)
        if self._class_names(root / "test", wanted) != names:
            raise self._error(f"{root} has other classes in test/ than {_some(names)} in train/")
        train, test = (
            [
                (f"{part}/{path}", label)
                for name in names
                for path, label in self._of_class(root / part, name, names)
            ]
            for part in ("train", "test")
        )
        return train, test

    def _class_names(self, folder: Path, wanted: str) -> list[str]:
        found = sorted(
            path.name
            for path in folder.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        )
        right = (
            len(found) == self.classes
            if isinstance(self.classes, int)
            else set(self.classes) <= set(found)
        )
        if not right:
            raise self._error(
                f"{folder} should have a sub-folder for each of the {wanted}, and has"
                f" {len(found)}: {_some(found)}"
            )
        return found if isinstance(self.classes, int) else list(self.classes)

    def _of_class(self, folder: Path, name: str, names: Sequence[str]) -> Iterator[tuple[str, int]]:
        files = sorted(
            path.name
            for path in (folder / name).iterdir()
            if path.suffix.lower() in FORMATS and not path.name.startswith(".")
        )
        if not files:
            raise self._error(f"{folder / name} has no image ({', '.join(FORMATS)})")
        label = names.index(name)
        return ((f"{name}/{file}", label) for file in files)

    def _decoded(self, root: Path, paths: Sequence[str]) -> tuple[NDArray[np.uint8], str]:
        """The images of these paths, and the digest of their content."""
        cache = self._cache(root, self._files(root, paths))
        kept = _kept(cache, (len(paths), 3, self.size, self.size))
        if kept is not None:
            return kept
        images = np.empty((len(paths), 3, self.size, self.size), dtype=np.uint8)
        digests: dict[str, str] = {}
        damaged = []
        for place, path in enumerate(paths):
            try:
                with open_regular(root / path, LARGEST_IMAGE) as file:
                    encoded = file.read()
                digests[path] = hashlib.sha256(encoded).hexdigest()
                form = FORMATS[PurePath(path).suffix.lower()]
                images[place] = decode(encoded, self.size, (form,))
            except (OSError, ValueError, UnfitFileError) as error:
                damaged.append(f"{root / path} ({error})")
        if damaged:
            raise self._error(
                f"{len(damaged)} of {len(paths)} images are damaged: {_some(damaged)}. Replace"
                " them, or move them away"
            )
        content = _content(digests)
        _keep(cache, images, content)
        return images, content

    def _files(self, root: Path, paths: Sequence[str]) -> list[tuple[str, int, int]]:
        """Each path with its size and time of change; raises DatasetMissingError for no files."""
        known = []
        wrong = []
        for path in paths:
            try:
                status = (root / path).stat()
            except OSError as error:
                wrong.append(f"{root / path} cannot be read ({error.strerror})")
                continue
            if problem := unfit(status, LARGEST_IMAGE):
                wrong.append(f"{root / path} is {problem}")
            known.append((path, status.st_size, status.st_mtime_ns))
        if wrong:
            raise self._error(
                f"{len(wrong)} of {len(paths)} images are none: {_some(wrong)}. Move them away"
            )
        return known

    def _cache(self, root: Path, known: Sequence[tuple[str, int, int]]) -> Path:
        text = json.dumps([_CACHE_FORMAT, self.size, known])
        key = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
        return root.with_name(f".{root.name}-{self.size}-{key}.npz")


def decode(
    encoded: bytes, size: int, formats: Sequence[str] = tuple(FORMATS.values())
) -> NDArray[np.uint8]:
    """One image file as uint8 (3, size, size); the first frame of an animation.

    Args:
        formats: that it may have, as Pillow calls them; no others are tried.

    Raises:
        ValueError, OSError: it cannot be read, has another format, or more than 8 bits a channel.
    """
    from PIL import Image

    colours = decoded(encoded, formats)
    side = min(colours.size)
    left, top = ((length - side) / 2 for length in colours.size)
    square = colours.resize(
        (size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
    )
    return np.asarray(square, dtype=np.uint8).transpose(2, 0, 1)


def _is_test(path: str) -> bool:
    digest = hashlib.sha256(path.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") < TEST_SHARE * 2**64


def _content(digests: dict[str, str]) -> str:
    lines = "".join(f"{digests[path]}  {path}\n" for path in sorted(digests))
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown}, ..." if len(names) > _MOST_NAMED else shown or "none"


def _kept(cache: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], str] | None:
    try:
        with open_regular(cache) as file, np.load(file, allow_pickle=False) as stored:
            images, content = stored["images"], str(stored["content"])
    except Exception:  # it is not there, or damaged in any way: decoding makes it again
        return None
    whole = images.shape == shape and images.dtype == np.uint8
    return (images, content) if whole else None


def _keep(cache: Path, images: NDArray[np.uint8], content: str) -> None:
    temporary = cache.with_name(f"{cache.name}.{secrets.token_hex(8)}.tmp")
    with suppress(OSError):  # of a place that cannot be written, or is full
        try:
            with temporary.open("xb") as file:
                np.savez(file, images=images, content=np.array(content))
            os.replace(temporary, cache)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
