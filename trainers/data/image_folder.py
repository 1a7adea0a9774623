"""Reading a folder of images with a sub-folder for each class, such as Dogs vs. Cats.

Each image is decoded by Pillow, as what its suffix says and nothing else. It is converted to RGB
(grey is repeated, transparency is dropped), and unless its view says otherwise, its largest centred
square is resized by bilinear interpolation with antialiasing. This is resizing the shorter side and
cropping the centre: shapes stay as they are, where squeezing both sides to one length would flatten
them by another factor in each image. Orientation in EXIF is not looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainers.data.datasets import fit_in_memory
from trainers.data.decoding import LARGEST_IMAGE
from trainers.data.image_folder_check import checked, content_of, digest
from trainers.data.image_folder_listing import Listing, error, listed, some
from trainers.data.kept_arrays import keep_arrays, load_arrays
from trainers.data.loading import Part, Split
from trainers.data.packed.decoding import Packing
from trainers.data.packed.finding import pack_path, packed_if_there
from trainers.data.packed.sources import FilesOfPart
from trainers.data.streaming.source import Streamed
from trainers.data.streaming.views import CentreView, View
from trainers.errors import UnfitFileError
from trainers.storage.regular_file import unfit

_CACHE_FORMAT = 2


@dataclass(frozen=True)
class ImageFolder:
    """What is to be read of a folder; called with the data directory, it reads.

    Images that are kept in memory are also kept next to the folder once they are decoded, in
    .NAME-SIZE-KEY.npz; the key is of the images' paths, sizes and times of change, so that a
    changed folder is read again. Where nothing can be written, they are decoded by each process.

    Attributes:
        folder: below the data directory.
        train_view, test_view: what is seen of an image.
        classes: names of sub-folders, sorted, or how many there are.
        images: numbers of training and test images that are expected; None for any.
        content: expected SHA-256, see `trainers.config.image_folder`; None for any.
        in_memory: whether images are decoded at once; None for all but large folders.
        skip_damaged: whether images that cannot be decoded are left out.
        reduce: the shorter side, in pixels, that larger images are reduced to, of which there may
            be a packed copy; None not to.
    """

    folder: str
    train_view: View
    test_view: View
    classes: tuple[str, ...] | int
    images: tuple[int, int] | None = None
    content: str | None = None
    in_memory: bool | None = None
    skip_damaged: bool = False
    reduce: int | None = None

    def __call__(self, data_dir: Path) -> tuple[Part, Part]:
        """(train, test), ordered by class and then by name; see `read`."""
        return self.read(data_dir, lambda: None)

    def read(self, data_dir: Path, heartbeat: Callable[[], None]) -> tuple[Part, Part]:
        """(train, test), ordered by class and then by name.

        Args:
            heartbeat: called as images are read.

        Raises:
            DatasetMissingError: there is no such folder, a class is missing, what has the name of
                an image is no file, an image is damaged that is read now and not to be left out, or
                the folder is not what the spec says.
        """
        root = data_dir / self.folder
        try:
            parts = self._listed(root)
            if not self.streams(sum(map(len, parts))):
                return self._held(root, parts, heartbeat)
            files = self._streamed(root, parts, heartbeat)
        except OSError as problem:
            raise error(f"{root} cannot be read: {problem}") from problem
        return packed_if_there(self.pack_path(data_dir), self.folder, self.reduce, *files)

    def streams(self, images: int) -> bool:
        """Whether so many images are read while a network trains, and not kept in memory."""
        if self.train_view.is_drawn:
            return True
        if self.in_memory is not None:
            return not self.in_memory
        return not fit_in_memory(images, 3, self.train_view.size)

    def pack_path(self, data_dir: Path) -> Path | None:
        """See CanBePacked; None, too, where all images may be held in memory."""
        if self.reduce is None or not (self.train_view.is_drawn or self.in_memory is False):
            return None
        return pack_path(data_dir / self.folder, self.reduce, self.classes)

    def packing(self, data_dir: Path, heartbeat: Callable[[], None]) -> Packing:
        """See CanBePacked."""
        assert self.reduce is not None, "it has a path"
        root = data_dir / self.folder
        try:
            parts = self._listed(root)
            train, test = self._streamed(root, parts, heartbeat)
        except OSError as problem:
            raise error(f"{root} cannot be read: {problem}") from problem
        return Packing(
            self.folder,
            FilesOfPart.of(train),
            FilesOfPart.of(test),
            shorter_side=self.reduce,
            # As text: a folder's name may be any bytes.
            classes=tuple(
                os.fsencode(Path(folder).name).decode("utf-8", "backslashreplace")
                for folder in parts[0].folders
            ),
        )

    def _listed(self, root: Path) -> tuple[Listing, Listing]:
        parts = listed(root, self.classes)
        self._require_counts(root, parts)
        return parts

    @property
    def _views(self) -> tuple[View, View]:
        return self.train_view, self.test_view

    def _require_counts(self, root: Path, parts: tuple[Listing, Listing]) -> None:
        found = len(parts[0]), len(parts[1])
        if self.images is not None and found != self.images:
            raise error(
                f"{root} has {found[0]} training and {found[1]} test images, where the spec"
                f" expects {self.images[0]} and {self.images[1]}"
            )
        for count, part in zip(found, ("training", "test"), strict=True):
            if not count:
                raise error(f"{root} has {sum(found)} images, and no {part} image among them")

    def _streamed(
        self, root: Path, parts: tuple[Listing, Listing], heartbeat: Callable[[], None]
    ) -> tuple[Streamed, Streamed]:
        kept = [np.ones(len(part), dtype=np.bool_) for part in parts]
        if self.content is not None or self.skip_damaged:
            found = checked(root, parts, heartbeat)
            self._require_content(root, found.content)
            if len(found.damaged) and not self.skip_damaged:
                raise _damaged(len(found.damaged), parts, found.why)
            kept = _without(root, parts, found.damaged)
        train, test = (
            # Numbered as if the others were not there, as those of a packed copy are.
            replace(Streamed.all_of(part.of(of_part), view), damaged=len(part) - int(of_part.sum()))
            for part, view, of_part in zip(parts, self._views, kept, strict=True)
        )
        return train, test

    def _held(
        self, root: Path, parts: tuple[Listing, Listing], heartbeat: Callable[[], None]
    ) -> tuple[Part, Part]:
        images, content, damaged = self._decoded(root, parts, heartbeat)
        self._require_content(root, content)
        kept = _without(root, parts, damaged)
        first = len(parts[0])
        pixels = images[:first], images[first:]
        train, test = (
            Split(
                of_part if whole.all() else of_part[whole],
                part.labels if whole.all() else part.labels[whole],
                len(part) - int(whole.sum()),
            )
            for part, of_part, whole in zip(parts, pixels, kept, strict=True)
        )
        return train, test

    def _require_content(self, root: Path, found: str) -> None:
        if self.content not in (None, found):
            raise error(
                f"{root} holds other images than the spec expects: their content is {found},"
                f" not {self.content}"
            )

    def _decoded(
        self, root: Path, parts: tuple[Listing, Listing], heartbeat: Callable[[], None]
    ) -> tuple[NDArray[np.uint8], str, NDArray[np.int64]]:
        """The images of both parts, the digest of their content, and which of them are damaged."""
        size = self.train_view.size
        cache = self._cache(root, self._files(root, parts))
        shape = (sum(map(len, parts)), 3, size, size)
        stored = load_arrays(cache)
        if stored is not None and _is_whole(stored, shape):
            none = np.empty(0, dtype=np.int64)
            return stored["images"], str(stored["content"]), stored.get("damaged", none)
        images = np.zeros(shape, dtype=np.uint8)
        digests = [np.zeros((len(part), 32), dtype=np.uint8) for part in parts]
        places: list[int] = []
        named: list[str] = []
        place = 0
        for part, view, of_part in zip(parts, self._views, digests, strict=True):
            for index in range(len(part)):
                heartbeat()
                try:
                    encoded = part.encoded(index)
                    of_part[index] = digest(encoded)
                    images[place] = view.of(part.decoded(index, encoded), None, index)
                except (OSError, ValueError, UnfitFileError) as problem:
                    places.append(place)
                    named.append(f"{part.name(index)} ({problem})")
                place += 1
        if named and not self.skip_damaged:
            raise _damaged(len(named), parts, some(named))
        content = content_of(parts, digests)
        damaged = np.array(places, dtype=np.int64)
        told = {"damaged": damaged} if places else {}
        keep_arrays(cache, images=images, content=np.array(content), **told)
        return images, content, damaged

    def _files(self, root: Path, parts: Sequence[Listing]) -> list[tuple[str, int, int]]:
        """Each path with its size and time of change; raises DatasetMissingError for no files."""
        known = []
        wrong = []
        for part in parts:
            for index in range(len(part)):
                path = part.path(index)
                try:
                    status = (root / path).stat()
                except OSError as problem:
                    wrong.append(f"{root / path} cannot be read ({problem.strerror})")
                    continue
                if what := unfit(status, LARGEST_IMAGE):
                    wrong.append(f"{root / path} is {what}")
                known.append((path, status.st_size, status.st_mtime_ns))
        if wrong and not self.skip_damaged:
            total = sum(map(len, parts))
            raise error(f"{len(wrong)} of {total} images are none: {some(wrong)}. Move them away")
        return known

    def _cache(self, root: Path, known: Sequence[tuple[str, int, int]]) -> Path:
        size = self.train_view.size
        told: list[object] = [_CACHE_FORMAT, size, known]
        # What every folder had before there was more to say is found as before.
        if isinstance(self.test_view, CentreView) and self.test_view.resize is not None:
            told.append({"resize": self.test_view.resize})
        if self.skip_damaged:
            told.append("without damaged ones")
        if self.reduce is not None:
            told.append({"reduce": self.reduce})
        key = hashlib.sha256(json.dumps(told).encode(errors="surrogateescape")).hexdigest()[:16]
        return root.with_name(f".{root.name}-{size}-{key}.npz")


def _is_whole(stored: dict[str, NDArray[np.generic]], shape: tuple[int, ...]) -> bool:
    images = stored.get("images")
    return (
        images is not None
        and "content" in stored
        and images.shape == shape
        and images.dtype == np.uint8
    )


def _without(
    root: Path, parts: Sequence[Listing], damaged: NDArray[np.int64]
) -> list[NDArray[np.bool_]]:
    """Of each part which images are whole; raises DatasetMissingError if none is."""
    whole = np.ones(sum(map(len, parts)), dtype=np.bool_)
    whole[damaged] = False
    kept = np.split(whole, np.cumsum([len(part) for part in parts])[:-1])
    for of_part, part in zip(kept, ("training", "test"), strict=True):
        if not of_part.any():
            raise error(f"{root} has {len(of_part)} {part} images, none of which can be decoded")
    return kept


def _damaged(count: int, parts: Sequence[Listing], named: str) -> Exception:
    total = sum(map(len, parts))
    return error(
        f"{count} of {total} images are damaged: {named}. Replace them, move them away, or give"
        " the dataset of the spec `damaged: skip`, which leaves them out and says how many"
    )
