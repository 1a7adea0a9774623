"""Where the packed copy of a dataset lies, and reading it in place of the files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from trainers.data.packed.decoding import Packing
from trainers.data.packed.images import PackedImages, parts
from trainers.data.packed.layout import Pack, read_pack
from trainers.data.packed.sources import FilesOfPart, digest_of
from trainers.data.streaming.source import Streamed
from trainers.errors import DatasetMissingError, UnfitFileError

SUFFIX = ".pack"


@runtime_checkable
class CanBePacked(Protocol):
    """What reads a dataset of which there may be a packed copy."""

    def pack_path(self, data_dir: Path) -> Path | None:
        """Where the copy lies; None for images that are not reduced, which have none."""

    def packing(self, data_dir: Path, heartbeat: Callable[[], None]) -> Packing:
        """What the copy is made of; raises DatasetMissingError."""

    def read(self, data_dir: Path, heartbeat: Callable[[], None]) -> tuple[object, object]:
        """Both parts, from the copy if there is one; raises DatasetMissingError."""


def pack_path(folder: Path, shorter_side: int, classes: Sequence[str] | int | None) -> Path:
    """Beside the folder of a dataset: NAME-SIDE.pack, with a digest of a choice of classes."""
    chosen = ""
    if not isinstance(classes, int | None):
        chosen = f"-{hashlib.sha256(json.dumps(list(classes)).encode()).hexdigest()[:8]}"
    return folder.with_name(f"{folder.name}-{shorter_side}{chosen}{SUFFIX}")


def open_pack(path: Path, dataset: str, shorter_side: int) -> Pack:
    """The packed copy; raises DatasetMissingError if it is damaged, or of something else."""
    try:
        pack = read_pack(path)
    except (OSError, ValueError, UnfitFileError) as error:
        raise _unusable(dataset, path, str(error)) from error
    said = pack.description
    if (said.dataset, said.shorter_side) != (dataset, shorter_side):
        raise _unusable(
            dataset, path, f"it is of {said.dataset}, reduced to {said.shorter_side} pixels"
        )
    return pack


def read_packed(reader: CanBePacked, data_dir: Path) -> tuple[Pack, Streamed, Streamed]:
    """The copy that this reads, and both parts from it.

    Raises DatasetMissingError if there is none of its images.
    """
    train, test = reader.read(data_dir, lambda: None)
    if (
        isinstance(train, Streamed)
        and isinstance(test, Streamed)
        and isinstance(train.source, PackedImages)
    ):
        return train.source.pack, train, test
    raise DatasetMissingError(f"{reader.pack_path(data_dir)} is not there")


def packed_if_there(
    path: Path | None, dataset: str, shorter_side: int | None, train: Streamed, test: Streamed
) -> tuple[Streamed, Streamed]:
    """The same images, from the packed copy if there is one: with the same pixels, only sooner.

    Raises DatasetMissingError for a copy that is damaged, or of other images.
    """
    if path is None or shorter_side is None or not path.exists():
        return train, test
    pack = open_pack(path, dataset, shorter_side)
    if pack.description.images != digest_of(FilesOfPart.of(train), FilesOfPart.of(test)):
        raise _unusable(dataset, path, "it is of other images than those that are here now")
    packed_train, packed_test = parts(pack)
    return _in_place_of(train, packed_train), _in_place_of(test, packed_test)


def _in_place_of(part: Streamed, packed: PackedImages) -> Streamed:
    return replace(Streamed.all_of(packed, part.view), damaged=part.damaged)


def _unusable(dataset: str, path: Path, why: str) -> DatasetMissingError:
    return DatasetMissingError(
        f"dataset {dataset!r}: the packed copy {path} cannot be used: {why}. Remove it, and make it"
        " again with sweep pack, or train from the files without it"
    )
