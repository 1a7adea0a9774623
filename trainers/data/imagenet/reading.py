"""ILSVRC2012 as torchvision.datasets.ImageNet has it: the same images, order and labels.

In DATA/imagenet, for each part a folder (train, val) with a sub-folder for each class, named by its
WordNet id; or else its archive, which is read in place. Labels count the classes in the order of
their ids, and images are in the order of classes, then of names. Which class a validation image of
the archive has is only known from the development kit; with folders that may be missing, and then
words for the classes are, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainers.data.imagenet.archives import members_of
from trainers.data.imagenet.devkit import DEVKIT_ARCHIVE, Devkit, read_devkit
from trainers.data.imagenet.images import ArchivedImages, FolderImages, ImageNetImages
from trainers.data.packed.decoding import Packing
from trainers.data.packed.finding import open_pack, pack_path, packed_if_there
from trainers.data.packed.images import parts
from trainers.data.packed.sources import FilesOfPart
from trainers.data.streaming.source import Streamed
from trainers.data.streaming.views import View
from trainers.errors import DatasetMissingError

NAME = "imagenet"

FOLDER = NAME
"""Below the data directory."""

CLASSES, TRAIN_IMAGES, VALIDATION_IMAGES = 1_000, 1_281_167, 50_000

_ARCHIVES = {"train": "ILSVRC2012_img_train.tar", "val": "ILSVRC2012_img_val.tar"}
_MOST_NAMED = 5


@dataclass(frozen=True)
class ImageNet:
    """What is to be read; called with the data directory, it finds the images, and reads none.

    Attributes:
        train_view, test_view: what is seen of an image.
        classes: WordNet ids of those to use, sorted; None for all 1000.
        images: numbers of training and validation images that are expected; None for any.
        reduce: the shorter side, in pixels, that larger images are reduced to, of which there may
            be a packed copy; None not to.
    """

    train_view: View
    test_view: View
    classes: tuple[str, ...] | None = None
    images: tuple[int, int] | None = (TRAIN_IMAGES, VALIDATION_IMAGES)
    reduce: int | None = None

    def __call__(self, data_dir: Path) -> tuple[Streamed, Streamed]:
        """The training and the validation images; see `read`."""
        return self.read(data_dir, lambda: None)

    def read(self, data_dir: Path, heartbeat: Callable[[], None]) -> tuple[Streamed, Streamed]:
        """The training and the validation images: from the packed copy, or else from the files.

        A packed copy will do without the files, which need not be on each machine that trains.

        Args:
            heartbeat: called as archives are looked through.

        Raises:
            DatasetMissingError: they are not there, or not all; an archive or a packed copy is
                damaged; or these are others than the spec says.
        """
        path = self.pack_path(data_dir)
        if path is not None and self.reduce and path.exists() and not (data_dir / FOLDER).is_dir():
            pack = open_pack(path, NAME, self.reduce)
            self._require_counts(path, pack.description.train, pack.description.test)
            packed_train, packed_test = parts(pack)
            train = Streamed.all_of(packed_train, self.train_view)
            return train, Streamed.all_of(packed_test, self.test_view)
        return packed_if_there(path, NAME, self.reduce, *self._streamed(data_dir, heartbeat))

    def pack_path(self, data_dir: Path) -> Path | None:
        """See CanBePacked."""
        if self.reduce is None:
            return None
        return pack_path(data_dir / FOLDER, self.reduce, self.classes)

    def packing(self, data_dir: Path, heartbeat: Callable[[], None]) -> Packing:
        """See CanBePacked."""
        assert self.reduce is not None, "it has a path"
        train, test = self.files(data_dir, heartbeat)
        return Packing(
            NAME,
            FilesOfPart.all_of(train),
            FilesOfPart.all_of(test),
            shorter_side=self.reduce,
            classes=train.classes,
            words=train.words,
        )

    def files(
        self, data_dir: Path, heartbeat: Callable[[], None] = lambda: None
    ) -> tuple[ImageNetImages, ImageNetImages]:
        """The image files of training and validation; raises DatasetMissingError as `read`."""
        root = data_dir / FOLDER
        if not root.is_dir():
            raise _error(f"there is no folder {root}. {_HOW}")
        try:
            devkit = read_devkit(root)
            train = _part(root, "train", devkit, self.classes, heartbeat)
            test = _part(root, "val", devkit, train.classes, heartbeat)
        except OSError as error:
            raise _error(f"{root} cannot be read: {error}") from error
        self._require_counts(root, len(train), len(test))
        return train, test

    def _streamed(self, data_dir: Path, heartbeat: Callable[[], None]) -> tuple[Streamed, Streamed]:
        train, test = self.files(data_dir, heartbeat)
        return Streamed.all_of(train, self.train_view), Streamed.all_of(test, self.test_view)

    def _require_counts(self, where: Path, train: int, test: int) -> None:
        if self.images is not None and (train, test) != self.images:
            raise _error(
                f"{where} has {train:,} training and {test:,} validation images of these"
                f" classes, where {self.images[0]:,} and {self.images[1]:,} are expected"
            )


def _part(
    root: Path,
    part: str,
    devkit: Devkit | None,
    classes: tuple[str, ...] | None,
    heartbeat: Callable[[], None],
) -> ImageNetImages:
    folder, archive = root / part, root / _ARCHIVES[part]
    words = {} if devkit is None else devkit.words
    if folder.is_dir():
        paths = _listed(folder)
        labels, chosen, classes = _labels(paths, folder, words, classes)
        return FolderImages(folder, paths[chosen], labels, classes, words)
    if not archive.exists():
        raise _error(f"{root} has neither a folder {part} nor {archive.name}. {_HOW}")
    members = members_of(archive, heartbeat)
    paths = members.names
    if part == "val":
        paths = _with_classes(paths, archive, devkit)
    labels, chosen, classes = _labels(paths, archive, words, classes)
    where = members.offsets[chosen], members.sizes[chosen]
    return ArchivedImages(archive, paths[chosen], labels, classes, words, *where)


def _labels(
    paths: NDArray[np.bytes_],
    where: Path,
    words: Mapping[str, str],
    classes: tuple[str, ...] | None,
) -> tuple[NDArray[np.int64], NDArray[np.intp], tuple[str, ...]]:
    """Labels of the images to use, in their order; which of the paths these are; the classes."""
    every, of_path = np.unique(
        [path.partition(b"/")[0] for path in paths.tolist()], return_inverse=True
    )
    there = [os.fsdecode(name) for name in every]
    if classes is None:
        if len(there) != CLASSES:
            raise _error(
                f"{where} has images of {len(there):,} classes, not of {CLASSES:,}. If that is"
                " meant, give the dataset of the spec `classes`: a list of WordNet ids"
            )
        classes = tuple(there)
    if lacking := [wnid for wnid in classes if wnid not in set(there)]:
        named = [f"{wnid} ({words[wnid]})" if wnid in words else wnid for wnid in lacking]
        shown = ", ".join(named[:_MOST_NAMED]) + (", ..." if len(named) > _MOST_NAMED else "")
        raise _error(f"{where} has no image of {len(lacking):,} classes: {shown}")
    number = {wnid: label for label, wnid in enumerate(classes)}
    label_of = np.array([number.get(wnid, -1) for wnid in there], dtype=np.int64)
    labels = label_of[of_path]
    order = np.lexsort((paths, labels))
    chosen = order[labels[order] >= 0]
    return labels[chosen], chosen, classes


_HOW = (
    "Put ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz there,"
    " as they are; or folders train and val with a sub-folder of .JPEG files for each class"
)


def _error(problem: str) -> DatasetMissingError:
    return DatasetMissingError(f"dataset 'imagenet': {problem}")


def _listed(folder: Path) -> NDArray[np.bytes_]:
    """The paths CLASS/NAME.JPEG in a folder."""
    found: list[bytes] = []
    with os.scandir(folder) as entries:
        classes = [entry.name for entry in entries if entry.is_dir()]
    for name in classes:
        with os.scandir(folder / name) as entries:
            images = [entry.name for entry in entries if entry.name.lower().endswith(".jpeg")]
        found += (os.fsencode(f"{name}/{image}") for image in images if image[0] != ".")
    if not found:
        raise _error(f"{folder} has no sub-folder with .JPEG files. {_HOW}")
    return np.array(found, dtype=np.bytes_)


def _with_classes(
    names: NDArray[np.bytes_], archive: Path, devkit: Devkit | None
) -> NDArray[np.bytes_]:
    """The names of validation images, each with its class before it."""
    if devkit is None:
        raise _error(
            f"which classes the images of {archive} show stands in {DEVKIT_ARCHIVE}, which is not"
            " beside it. Put it there"
        )
    if len(devkit.validation) != len(names):
        raise _error(
            f"{archive} has {len(names):,} images, and the development kit beside it says the"
            f" classes of {len(devkit.validation):,}: one of the two is not whole"
        )
    classes = map(os.fsencode, devkit.validation)
    return np.array(
        [wnid + b"/" + name for wnid, name in zip(classes, names.tolist(), strict=True)]
    )
