"""Decoding and reducing the images of a dataset by several processes, in their own order."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from typing import NamedTuple

from trainers.data.decoding import reduced
from trainers.data.packed.sources import FilesOfPart
from trainers.errors import UnfitFileError

_IMAGES_A_TASK = 32
_SAMPLE = 32
"""Images of each part by which the size of a copy is estimated."""

_TASKS_AHEAD = 3
"""For each process. What is decoded and not yet written is bounded by these."""


@dataclass(frozen=True)
class Packing:
    """What is to be packed.

    Attributes:
        dataset: as its spec calls it.
        train, test: the images.
        shorter_side: pixels that longer shorter sides are reduced to.
        classes: in the order of labels.
        words: what they mean, of those of which it is known.
    """

    dataset: str
    train: FilesOfPart
    test: FilesOfPart
    shorter_side: int
    classes: tuple[str, ...]
    words: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.train) + len(self.test)


class DecodedImage(NamedTuple):
    """One image, decoded and reduced.

    Attributes:
        pixels: uint8 (height, width, 3), or nothing if it is damaged.
        height, width: or 0.
        damage: which image it is, and what is wrong with it; else empty.
    """

    pixels: bytes
    height: int
    width: int
    damage: str = ""


def decoded_in_order(packing: Packing, processes: int) -> Iterator[list[DecodedImage]]:
    """All images, some at a time: those for training first.

    Raises BrokenExecutor if one of the processes was killed.
    """
    tasks = [
        (part, range(begin, min(begin + _IMAGES_A_TASK, len(images))))
        for part, images in enumerate((packing.train, packing.test))
        for begin in range(0, len(images), _IMAGES_A_TASK)
    ]
    if processes == 1:
        yield from (_decode(packing, part, places) for part, places in tasks)
        return
    context = get_context("spawn")  # a fork would take locks along that no thread will open
    with ProcessPoolExecutor(processes, context, _begin, (packing,)) as pool:
        waiting: deque[Future[list[DecodedImage]]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(_decode_task, *task))
                if len(waiting) >= _TASKS_AHEAD * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def estimated_size(packing: Packing) -> int:
    """About how many bytes the copy has, by some of its images; damaged ones are passed over."""
    sizes = []
    for part in (0, 1):
        count = len((packing.train, packing.test)[part])
        places = range(0, count, max(1, count // _SAMPLE))
        sizes += [len(image.pixels) for image in _decode(packing, part, places) if image.pixels]
    return len(packing) * sum(sizes) // max(1, len(sizes))


_packing: list[Packing] = []
"""Of a process that decodes, what it was begun with."""


def _begin(packing: Packing) -> None:
    _packing[:] = [packing]
    # An interrupt is for the process that writes, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool whose owner was killed would wait for tasks without an end."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _decode_task(part: int, places: Sequence[int]) -> list[DecodedImage]:
    return _decode(_packing[0], part, places)


def _decode(packing: Packing, part: int, places: Sequence[int]) -> list[DecodedImage]:
    images = (packing.train, packing.test)[part]
    found = []
    for index in images.places[list(places)].tolist():
        try:
            whole = images.files.decoded(index, images.files.encoded(index))
            image = reduced(whole, packing.shorter_side)
            found.append(DecodedImage(image.tobytes(), image.height, image.width))
        except (OSError, ValueError, UnfitFileError) as error:
            found.append(DecodedImage(b"", 0, 0, f"{images.files.name(index)} ({error})"))
    return found
