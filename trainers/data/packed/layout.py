"""The format of a packed copy.

    b"sweep-pack-1\n"
    the pixels of each image, uint8 (height, width, 3), those for training first
    a table of the images, of TABLE, and their paths, each with a line's end
    the description, as JSON
    its length, uint64 with the lowest byte first, its SHA-256, and b"sweep-pack-1\n"

It is read from its end: what is not whole has none. The description has the SHA-256 of the table
and of the pixels, and the table has a CRC-32 of each image's, which is looked at whenever the image
is read.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from trainers.storage.regular_file import open_regular

MAGIC = b"sweep-pack-1\n"

TABLE = np.dtype(
    [
        ("offset", "<i8"),
        ("height", "<i4"),
        ("width", "<i4"),
        ("label", "<i8"),
        ("crc32", "<u4"),
    ]
)
"""Of an image; its pixels begin at `offset`, in bytes."""

_END = struct.Struct(f"<Q32s{len(MAGIC)}s")
_LARGEST_DESCRIPTION = 2**24


class Description(BaseModel):
    """What a packed copy is of.

    Attributes:
        dataset: what it was made of, as its spec calls it.
        shorter_side: pixels that longer shorter sides were reduced to.
        train, test: numbers of images.
        classes: in the order of labels.
        words: what the classes mean, of those of which it is known.
        images: SHA-256 of their paths and labels, see `digest_of`.
        pixels_sha256, table_sha256: of these parts.
        table_begins: in bytes.
        decoder: what decoded them, such as "Pillow 12.0.0, libjpeg-turbo 3.1.0".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    shorter_side: int
    train: int
    test: int
    classes: tuple[str, ...]
    words: dict[str, str]
    images: str
    pixels_sha256: str
    table_sha256: str
    table_begins: int
    decoder: str


@dataclass(frozen=True, eq=False)
class Pack:
    """A packed copy.

    Attributes:
        path: its file.
        description: what it is of.
        table: (train + test,), of TABLE.
        paths: (train + test,), bytes, of the image files.
    """

    path: Path
    description: Description
    table: NDArray[np.void]
    paths: NDArray[np.bytes_]


def read_pack(path: Path) -> Pack:
    """Raises OSError, UnfitFileError, or ValueError for what is not a whole packed copy."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        description, end = _description(file, size)
        begin = description.table_begins
        file.seek(begin)
        content = file.read(end - begin)
    if hashlib.sha256(content).hexdigest() != description.table_sha256:
        raise ValueError("its table is damaged")
    count = description.train + description.test
    table = np.frombuffer(content, dtype=TABLE, count=count)
    paths = content[table.nbytes :].split(b"\n")[:-1]
    return Pack(path, description, table, np.array(paths, dtype=np.bytes_))


def write_end(file: BinaryIO, description: Description) -> None:
    """After the table."""
    text = description.model_dump_json().encode()
    file.write(text + _END.pack(len(text), hashlib.sha256(text).digest(), MAGIC))


def _description(file: BinaryIO, size: int) -> tuple[Description, int]:
    """The description, and where it begins."""
    if size < len(MAGIC) + _END.size or file.read(len(MAGIC)) != MAGIC:
        raise ValueError("it is no packed copy, or one of another version")
    file.seek(size - _END.size)
    length, digest, magic = _END.unpack(file.read(_END.size))
    begin = size - _END.size - length
    if magic != MAGIC or not 0 < length <= _LARGEST_DESCRIPTION or begin < len(MAGIC):
        raise ValueError("it is not whole")
    file.seek(begin)
    text = file.read(length)
    if hashlib.sha256(text).digest() != digest:
        raise ValueError("its description is damaged")
    try:
        return Description.model_validate_json(text), begin
    except ValidationError:
        raise ValueError("it is a packed copy of another version") from None
