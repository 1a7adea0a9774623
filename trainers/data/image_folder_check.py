"""What a folder of images holds, found by reading all of them, and kept beside the folder.

Files are named .NAME-...-KEY.npz; the key is of the images' paths, sizes and times of change, so
that a changed folder is read again. Where nothing can be written, each process reads it.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainers.data.image_folder_listing import Listing
from trainers.data.kept_arrays import keep_arrays, load_arrays
from trainers.errors import UnfitFileError

_FORMAT = 1
_IMAGES_A_TURN = 64


@dataclass(frozen=True, eq=False)
class Found:
    """What the images of several listings, one after the other, turned out to be.

    Attributes:
        content: see `content_of`.
        damaged: (K,), int64, which of them cannot be decoded, in ascending order.
        why: for a message, of the first of these.
    """

    content: str
    damaged: NDArray[np.int64]
    why: str


def checked(root: Path, parts: Sequence[Listing], heartbeat: Callable[[], None]) -> Found:
    """Reads and decodes all images, unless that was done before; of a million it takes hours."""
    cache = root.with_name(f".{root.name}-checked-{_key(parts, heartbeat)}.npz")
    kept = load_arrays(cache)
    if kept is not None and {"content", "damaged", "why"} <= kept.keys():
        return Found(str(kept["content"]), kept["damaged"], str(kept["why"]))
    digests = [np.zeros((len(part), 32), dtype=np.uint8) for part in parts]

    def check(turn: tuple[int, range]) -> list[tuple[int, str]]:
        part, indices = turn
        bad = []
        for index in indices:
            try:
                encoded = parts[part].encoded(index)
                digests[part][index] = digest(encoded)
                parts[part].decoded(index, encoded)
            except (OSError, ValueError, UnfitFileError) as problem:
                bad.append((index, f"{parts[part].name(index)} ({problem})"))
        return bad

    starts = np.cumsum([0, *map(len, parts)])
    damaged: list[int] = []
    why = ""
    turns = list(_turns(parts))
    # Pillow decodes without the lock of the interpreter.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (part, _), bad in zip(turns, pool.map(check, turns), strict=True):
            heartbeat()
            damaged += [int(starts[part]) + index for index, _ in bad]
            why = why or next((said for _, said in bad), "")
    found = Found(content_of(parts, digests), np.array(damaged, dtype=np.int64), why)
    keep_arrays(cache, content=np.array(found.content), damaged=found.damaged, why=np.array(why))
    return found


def digest(encoded: bytes) -> NDArray[np.uint8]:
    """(32,), the SHA-256."""
    return np.frombuffer(hashlib.sha256(encoded).digest(), dtype=np.uint8)


def content_of(parts: Sequence[Listing], digests: Sequence[NDArray[np.uint8]]) -> str:
    """SHA-256 of what `sha256sum` prints for all images, in the order of sorted paths.

    Args:
        digests: of each part (N, 32); zeros for a file that cannot be read, which has no line.
    """
    of_folder: defaultdict[str, list[tuple[int, range]]] = defaultdict(list)
    for number, part in enumerate(parts):
        bounds = np.searchsorted(part.labels, np.arange(len(part.folders) + 1)).tolist()
        for folder, first, last in zip(part.folders, bounds, bounds[1:], strict=False):
            of_folder[folder].append((number, range(first, last)))
    total = hashlib.sha256()
    for folder in sorted(of_folder, key=lambda folder: f"{folder}/"):
        lines = sorted(
            (parts[number].path(index), digests[number][index].tobytes().hex())
            for number, indices in of_folder[folder]
            for index in indices
            if digests[number][index].any()
        )
        text = "".join(f"{of_file}  {path}\n" for path, of_file in lines)
        total.update(text.encode(errors="surrogateescape"))
    return total.hexdigest()


def _turns(parts: Sequence[Listing]) -> Iterator[tuple[int, range]]:
    for number, part in enumerate(parts):
        for start in range(0, len(part), _IMAGES_A_TURN):
            yield number, range(start, min(start + _IMAGES_A_TURN, len(part)))


def _key(parts: Sequence[Listing], heartbeat: Callable[[], None]) -> str:
    text = hashlib.sha256(f"{_FORMAT}".encode())
    for part in parts:
        for index in range(len(part)):
            if index % _IMAGES_A_TURN == 0:
                heartbeat()
            path = part.path(index)
            with suppress(OSError):
                status = (part.root / path).stat()
                line = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0"
                text.update(line.encode(errors="surrogateescape"))
    return text.hexdigest()[:16]
