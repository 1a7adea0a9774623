"""Image files inside tar archives, read in place: where each begins is looked up once, and kept.

ILSVRC2012_img_val.tar has the images themselves, and ILSVRC2012_img_train.tar an archive for each
class (n01440764.tar) that has them. Nothing in either is compressed, so an image is a range of
bytes of the one file.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from trainers.data.kept_arrays import keep_arrays, load_arrays
from trainers.errors import DatasetMissingError, UnfitFileError
from trainers.storage.regular_file import open_regular

_CACHE_FORMAT = 1
_IMAGE = ".jpeg"
_BLOCK = 512
"""Bytes of a header of tar, and of the units that all in an archive is padded to."""


@dataclass(frozen=True, eq=False)
class Members:
    """The images of an archive, in the order of their names.

    Attributes:
        names: (N,), bytes: "n01440764/n01440764_18.JPEG", or without a class.
        offsets, sizes: (N,), int64, in bytes of the archive.
    """

    names: NDArray[np.bytes_]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)


def members_of(archive: Path, heartbeat: Callable[[], None] = lambda: None) -> Members:
    """Those of an archive. Looked up once: they are kept beside it, in .NAME-KEY.npz.

    The key is of the archive's size and time of change. Where nothing can be written, each process
    looks them up again: a header of 512 bytes is read for each image.

    Args:
        heartbeat: called as headers are read.

    Raises DatasetMissingError if it is damaged or cut short.
    """
    try:
        with open_regular(archive) as file:
            status = os.fstat(file.fileno())
            cache = _cache(archive, status)
            kept = _kept(cache, status.st_size)
            if kept is not None:
                return kept
            found = _sorted(_images(file, status.st_size, heartbeat))
    except (OSError, UnfitFileError, tarfile.TarError, ValueError) as error:
        raise DatasetMissingError(
            f"dataset 'imagenet': {archive} is damaged or not whole ({error}). Fetch it again"
        ) from error
    keep_arrays(cache, names=found.names, offsets=found.offsets, sizes=found.sizes)
    return found


_Found = tuple[bytes, int, int]


def _images(file: BinaryIO, size: int, heartbeat: Callable[[], None]) -> Iterator[_Found]:
    """(name, offset, size) of each image, also of those in archives inside."""
    for member in _regular(file, 0, size, "it"):
        heartbeat()
        path = PurePosixPath(member.name)
        if path.suffix == ".tar":
            begin = member.offset_data
            for image in _regular(file, begin, begin + member.size, path.name):
                name = PurePosixPath(image.name)
                if name.suffix.lower() == _IMAGE:
                    full = f"{path.stem}/{name.name}"
                    yield os.fsencode(full), image.offset_data, image.size
        elif path.suffix.lower() == _IMAGE:
            yield os.fsencode(path.name), member.offset_data, member.size


def _regular(file: BinaryIO, begin: int, end: int, what: str) -> Iterator[tarfile.TarInfo]:
    """The files of the archive from `begin` to `end`; raises ValueError if it goes beyond."""
    file.seek(begin)
    with tarfile.open(fileobj=file, mode="r:", ignore_zeros=False) as tar:
        while True:
            # It seeks its own place, wherever an archive inside has read up to.
            member = tar.next()
            if member is None or member.offset >= end:
                break
            if member.offset_data + member.size > end:
                raise ValueError(f"{what} ends within {member.name}")
            if member.isreg() and not member.issparse():
                yield member
        # A zeroed block ends an archive: without it, more may have followed. A header that is
        # damaged looks like an end to tarfile, unless it is the first one.
        file.seek(tar.offset)
        if member is not None or tar.offset + _BLOCK > end or any(file.read(_BLOCK)):
            raise ValueError(f"{what} ends without the mark of its end")


def _sorted(images: Iterator[_Found]) -> Members:
    found = sorted(images)
    for (one, *_), (other, *_) in pairwise(found):
        if one == other:
            raise ValueError(f"it has {os.fsdecode(one)} twice")
    return Members(
        np.array([name for name, _, _ in found], dtype=np.bytes_),
        np.array([offset for _, offset, _ in found], dtype=np.int64),
        np.array([size for _, _, size in found], dtype=np.int64),
    )


def _cache(archive: Path, status: os.stat_result) -> Path:
    text = json.dumps([_CACHE_FORMAT, status.st_size, status.st_mtime_ns])
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return archive.with_name(f".{archive.name}-{key}.npz")


def _kept(cache: Path, size: int) -> Members | None:
    stored = load_arrays(cache)
    if stored is None or not {"names", "offsets", "sizes"} <= stored.keys():
        return None
    found = Members(stored["names"], stored["offsets"], stored["sizes"])
    right = len(found.names) == len(found.offsets) == len(found.sizes)
    return found if right and bool((found.offsets + found.sizes <= size).all()) else None
