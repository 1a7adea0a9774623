"""Making a packed copy: processes decode and reduce the images, and one writes them in order."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from functools import cache
from glob import escape
from pathlib import Path
from typing import BinaryIO

import numpy as np

from trainers.data.packed.decoding import Packing, decoded_in_order
from trainers.data.packed.layout import MAGIC, TABLE, Description, write_end
from trainers.data.packed.sources import digest_of
from trainers.errors import DatasetMissingError, StorageError, TrainerError
from trainers.storage.atomic_write import fsync_folder
from trainers.storage.unfinished_files import (
    TakenAwayError,
    remove_abandoned,
    unfinished_file,
)

_MOST_NAMED = 5


def write_pack(
    packing: Packing,
    target: Path,
    *,
    processes: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Make the packed copy at `target`, and return its bytes: it is there whole, or not at all.

    What killed processes have left of one is removed first.

    Args:
        processes: that decode; with 1 this one does.
        progress: called with the number of images that are written, now and then.

    Raises:
        DatasetMissingError: images are damaged.
        StorageError: another process packs the same, or there is no space, or no right to write.
    """
    try:
        if written := remove_abandoned(target.parent, escape(target.name)):
            raise _being_written(target, written)
        with unfinished_file(target) as (file, temporary):
            _write(packing, file, processes, progress)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
            os.replace(temporary, target)
            fsync_folder(target.parent)
    except TakenAwayError as error:
        raise _being_written(target, Path(error.filename)) from error
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror or error}") from error
    except BrokenExecutor as error:
        raise TrainerError(
            f"{target} is not written: a process that decoded images was killed, as where there is"
            " no memory left; fewer processes need less"
        ) from error
    return size


def _write(
    packing: Packing, file: BinaryIO, processes: int, progress: Callable[[int], None]
) -> None:
    file.write(MAGIC)
    table = np.zeros(len(packing), dtype=TABLE)
    table["label"] = np.concatenate([packing.train.labels, packing.test.labels])
    digest = hashlib.sha256()
    place = 0
    for images in decoded_in_order(packing, processes):
        damaged = [image.damage for image in images if image.damage]
        if damaged:
            raise _damage(damaged, packing)
        for image in images:
            row = table[place]
            row["offset"], row["crc32"] = file.tell(), zlib.crc32(image.pixels)
            row["height"], row["width"] = image.height, image.width
            file.write(image.pixels)
            digest.update(image.pixels)
            place += 1
        progress(place)
    paths = b"".join(
        path + b"\n" for part in (packing.train, packing.test) for path in part.paths()
    )
    begin = file.tell()
    file.write(table.tobytes())
    file.write(paths)
    description = Description(
        dataset=packing.dataset,
        shorter_side=packing.shorter_side,
        train=len(packing.train),
        test=len(packing.test),
        classes=packing.classes,
        words=dict(packing.words),
        images=digest_of(packing.train, packing.test),
        pixels_sha256=digest.hexdigest(),
        table_sha256=hashlib.sha256(table.tobytes() + paths).hexdigest(),
        table_begins=begin,
        decoder=decoder(),
    )
    write_end(file, description)


def _damage(damaged: Sequence[str], packing: Packing) -> DatasetMissingError:
    more = ", and perhaps more" if len(damaged) > _MOST_NAMED else ""
    return DatasetMissingError(
        f"dataset {packing.dataset!r}: damaged images are not packed:"
        f" {', '.join(damaged[:_MOST_NAMED])}{more}. Replace them, or move them away"
    )


@cache
def decoder() -> str:
    """What decodes images here; another may decode the same file to other pixels."""
    from PIL import __version__, features

    turbo = "libjpeg-turbo" if features.check_feature("libjpeg_turbo") else "libjpeg"
    return f"Pillow {__version__}, {turbo} {features.version('jpg')}"


def _being_written(target: Path, path: Path) -> StorageError:
    return StorageError(f"{target} is being written by another process, as {path.name}")
