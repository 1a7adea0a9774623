"""The development kit of ILSVRC2012: what its classes mean, and what each validation image shows.

Read from ILSVRC2012_devkit_t12.tar.gz, or from the folder that it unpacks to. Of data/meta.mat,
"synsets" has one row a WordNet synset: its number (ILSVRC2012_ID), its WordNet id (WNID), its
words, a gloss, and how many children it has. Those without children are the classes. Line i of
data/ILSVRC2012_validation_ground_truth.txt is the number of the class of validation image i.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trainers.errors import DatasetMissingError
from trainers.storage.regular_file import open_regular

DEVKIT_ARCHIVE = "ILSVRC2012_devkit_t12.tar.gz"
DEVKIT_FOLDER = "ILSVRC2012_devkit_t12"

_META = "data/meta.mat"
_TRUTH = "data/ILSVRC2012_validation_ground_truth.txt"

_LARGEST = 2**26
"""Bytes of either file; the published ones have less than a megabyte."""

_ID, _WNID, _WORDS, _CHILDREN = 0, 1, 2, 4


@dataclass(frozen=True)
class Devkit:
    """What it says.

    Attributes:
        words: of each class, by its WordNet id: {"n01440764": "tench, Tinca tinca"}.
        validation: the WordNet id of each validation image, in the order of file names.
    """

    words: Mapping[str, str]
    validation: tuple[str, ...]


def read_devkit(root: Path) -> Devkit | None:
    """That of a folder; None if it has none.

    Raises DatasetMissingError for one that is damaged, naming its file.
    """
    archive, folder = root / DEVKIT_ARCHIVE, root / DEVKIT_FOLDER
    if folder.is_dir():
        return _parsed(folder, *(_of_folder(folder, name) for name in (_META, _TRUTH)))
    if not archive.exists():
        return None
    with (
        _damage_named(archive),
        open_regular(archive) as file,
        tarfile.open(fileobj=file, mode="r:gz") as tar,
    ):
        meta, truth = (_of_archive(tar, f"{DEVKIT_FOLDER}/{name}") for name in (_META, _TRUTH))
    return _parsed(archive, meta, truth)


def _of_folder(folder: Path, name: str) -> bytes:
    path = folder / name
    with _damage_named(path), open_regular(path, _LARGEST) as file:
        return file.read()


def _of_archive(tar: tarfile.TarFile, name: str) -> bytes:
    try:
        file = tar.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise ValueError(f"it has no file {name}")
    with file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"its {name} has more than {_LARGEST:,} bytes")
    return content


def _parsed(where: Path, meta: bytes, truth: bytes) -> Devkit:
    with _damage_named(where):
        rows = _synsets(io.BytesIO(meta))
        of_number = {int(row[_ID]): str(row[_WNID]) for row in rows}
        words = {str(row[_WNID]): str(row[_WORDS]) for row in rows}
        numbers = [int(line) for line in truth.decode("ascii").split()]
        unknown = next((number for number in numbers if number not in of_number), None)
        if unknown is not None:
            raise ValueError(f"a validation image is of class {unknown}, which it has not")
        if not words:
            raise ValueError("it has no class")
        return Devkit(words, tuple(of_number[number] for number in numbers))


def _synsets(file: BinaryIO) -> list[Any]:
    """The rows of those without children."""
    # Here, as SciPy takes a third of a second to import and planning needs none of it.
    from scipy.io import loadmat

    # Its types know of no open files, which it reads.
    read: Callable[..., dict[str, Any]] = loadmat
    rows = np.atleast_1d(read(file, squeeze_me=True)["synsets"])
    return [row for row in rows if row[_CHILDREN] == 0]


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # what SciPy makes of bytes that are no MATLAB file is of any class
        raise DatasetMissingError(
            f"dataset 'imagenet': {path} is damaged ({type(error).__name__}: {error}). Replace it"
        ) from error
