"""Small folders of image files, no two images alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainers.data.image_folder_listing import listed
from trainers.data.streaming.draws import Key
from trainers.data.streaming.reading import open_reader
from trainers.data.streaming.source import Streamed
from trainers.data.streaming.views import CentreView, View

CLASSES = ("ant", "bee", "cat")


def fill(root: Path, train: int = 60, test: int = 30) -> None:
    """PNG files of other sizes and noise each, as many of each class, in train/ and test/."""
    draws = np.random.default_rng(0)
    for part, count in (("train", train), ("test", test)):
        for number in range(count):
            height, width = draws.integers(12, 30, 2)
            pixels = draws.integers(0, 256, (height, width, 3), dtype=np.uint8)
            path = root / part / CLASSES[number % len(CLASSES)] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)


def parts_of(root: Path, view: View | None = None, size: int = 8) -> list[Streamed]:
    """The training part, seen so, and the test part, of a folder."""
    train, test = listed(root, CLASSES)
    centre = CentreView(size)
    return [Streamed.all_of(train, view or centre), Streamed.all_of(test, centre)]


def read(
    parts: Sequence[Streamed],
    wanted: Iterable[tuple[int, Sequence[int], Key | None]],
    *,
    workers: int,
    ahead: int = 32,
    heartbeat: Callable[[], None] = lambda: None,
) -> list[NDArray[np.uint8]]:
    """For each of these (part, indices, key) the images."""
    reader = open_reader(parts, workers=workers, ahead=ahead, heartbeat=heartbeat)
    try:
        found = []
        for part, indices, key in wanted:
            stream = reader.stream(part, np.array(indices, dtype=np.int64), key)
            found.append(np.empty((len(indices), *parts[0].shape[1:]), dtype=np.uint8))
            stream.take(found[-1])
            stream.close()
        return found
    finally:
        reader.close()
