"""Making a packed copy: processes decode and reduce the images, and one writes them in order."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from trainers.data.packed.decoding import Packing, decoded_in_order
from trainers.data.packed.layout import MAGIC, TABLE, Description, image_digest, write_end
from trainers.errors import DatasetMissingError, StorageError, TrainerError
from trainers.storage.atomic_write import fsync_folder

_MOST_NAMED = 5


@dataclass(frozen=True)
class Packed:
    """What came of it.

    Attributes:
        path: the file.
        size: bytes of it.
        damaged: the images that were left out, each with the reason.
    """

    path: Path
    size: int
    damaged: tuple[str, ...]


def write_pack(
    packing: Packing,
    target: Path,
    *,
    processes: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> Packed:
    """Make the packed copy at `target`: it is there whole, or not at all.

    What killed processes have left of one is removed first.

    Args:
        processes: that decode; with 1 this one does.
        progress: called with the number of images that are written, now and then.

    Raises:
        DatasetMissingError: images are damaged, and not to be skipped.
        StorageError: another process packs the same, or there is no space, or no right to write.
    """
    try:
        _remove_abandoned(target)
        with _temporary(target) as (file, temporary):
            damaged = _write(packing, file, processes, progress)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
            os.replace(temporary, target)
            fsync_folder(target.parent)
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror or error}") from error
    except BrokenExecutor as error:
        raise TrainerError(
            f"{target} is not written: a process that decoded images was killed, as where there is"
            " no memory left; fewer processes need less"
        ) from error
    return Packed(target, size, tuple(damaged))


def _write(
    packing: Packing, file: BinaryIO, processes: int, progress: Callable[[int], None]
) -> list[str]:
    """Returns the images that are damaged."""
    file.write(MAGIC)
    table = np.zeros(len(packing), dtype=TABLE)
    pixels_digest = hashlib.sha256()
    encoded_digests: list[str] = []
    damaged: list[str] = []
    place = 0
    for images in decoded_in_order(packing, processes):
        for image in images:
            if image.damage:
                damaged.append(image.damage)
            table[place] = (file.tell(), image.height, image.width, 0, zlib.crc32(image.pixels))
            file.write(image.pixels)
            pixels_digest.update(image.pixels)
            encoded_digests.append(image.sha256)
            place += 1
        if damaged and not packing.skip_damaged:
            raise _damage(damaged, packing)
        progress(place)
    labels = np.concatenate([packing.train.labels, packing.test.labels])
    table["label"] = labels
    # The paths of both may be of other lengths, and are not to be cut to one.
    paths = [*packing.train.paths.tolist(), *packing.test.paths.tolist()]
    begin = file.tell()
    listed = b"".join(path + b"\n" for path in paths)
    file.write(table.tobytes())
    file.write(listed)
    description = Description(
        dataset=packing.dataset,
        shorter_side=packing.shorter_side,
        train=len(packing.train),
        test=len(packing.test),
        classes=packing.train.classes,
        words=dict(packing.train.words),
        content=_content(paths, encoded_digests),
        images=image_digest(np.array(paths, dtype=np.bytes_), labels),
        pixels_sha256=pixels_digest.hexdigest(),
        table_sha256=hashlib.sha256(table.tobytes() + listed).hexdigest(),
        table_begins=begin,
        paths_bytes=len(listed),
        decoder=decoder(),
    )
    write_end(file, description)
    return damaged


def _damage(damaged: Sequence[str], packing: Packing) -> DatasetMissingError:
    more = ", and perhaps more" if len(damaged) > _MOST_NAMED else ""
    return DatasetMissingError(
        f"dataset {packing.dataset!r}: damaged: {', '.join(damaged[:_MOST_NAMED])}{more}."
        " Replace them, or give the dataset of the spec `damaged: skip`"
    )


def _content(paths: Sequence[bytes], digests: Sequence[str]) -> str:
    """The SHA-256 of what `sha256sum` prints for all image files, in the order of sorted paths."""
    content = hashlib.sha256()
    for path, digest in sorted(zip(paths, digests, strict=True)):
        content.update(digest.encode() + b"  " + path + b"\n")
    return content.hexdigest()


@cache
def decoder() -> str:
    """What decodes images here; another may decode the same file to other pixels."""
    from PIL import __version__, features

    turbo = "libjpeg-turbo" if features.check_feature("libjpeg_turbo") else "libjpeg"
    return f"Pillow {__version__}, {turbo} {features.version('jpg')}"


@contextmanager
def _temporary(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file beside `target`, locked as long as it is written; removed unless it was moved."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    with open(path, "xb", buffering=1 << 20) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file, path
        finally:
            path.unlink(missing_ok=True)


def _remove_abandoned(target: Path) -> None:
    """Raises StorageError if one of them is being written."""
    for path in target.parent.glob(f".{target.name}.*.tmp"):
        with open(path, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StorageError(
                    f"{target} is being written by another process, as {path.name}"
                ) from None
            path.unlink(missing_ok=True)
