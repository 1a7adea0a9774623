"""What a network sees of an image: a part of it, resized to a square.

All are bilinear with antialiasing, by Pillow, on uint8, as torchvision's transforms of Pillow
images are. A part is cut out first and resized then: Pillow's `resize(box=...)` would look beyond
its edges.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from trainers.data.decoding import LARGEST_PIXELS, reduced
from trainers.data.streaming.draws import Key, uniforms, whole

if TYPE_CHECKING:
    from PIL import Image

_TRIES = 10
"""To find a part of a random area and aspect that is inside the image."""


class View(Protocol):
    """What is seen of an image; picklable, and the same wherever it is computed."""

    @property
    def size(self) -> int:
        """Pixels a side."""

    @property
    def is_drawn(self) -> bool:
        """Whether it depends on draws of the epoch, and is flipped as these say."""

    def of(self, image: Image.Image, key: Key | None, index: int) -> NDArray[np.uint8]:
        """(3, size, size), uint8.

        Args:
            image: in RGB.
            key: of the draws; not None for a view that is drawn.
            index: of the image in the dataset.
        """


@dataclass(frozen=True)
class CentreView:
    """The centre, as networks are tested on.

    Attributes:
        resize: of the image the shorter side, in pixels, and the centre is cut out of that; None
            for the largest centred square, whatever its size.
        reduce: see `RandomView`.
    """

    size: int
    resize: int | None = None
    reduce: int | None = None

    @property
    def is_drawn(self) -> bool:
        """It never is."""
        return False

    def of(self, image: Image.Image, key: Key | None, index: int) -> NDArray[np.uint8]:
        """See View."""
        image = _reduced(image, self.reduce)
        if self.resize is None:
            return pixels(centred_square(image, self.size))
        image = with_shorter_side(image, self.resize)
        # torchvision's CenterCrop rounds so.
        left, top = (round((length - self.size) / 2.0) for length in image.size)
        return pixels(image.crop((left, top, left + self.size, top + self.size)))


@dataclass(frozen=True)
class RandomView:
    """A part that is drawn anew in each epoch, mirrored in half of them.

    Attributes:
        area: least and largest area of the part, of that of the image; None for parts of `size`
            pixels a side.
        aspect: least and largest ratio of its width to its height; the ratio's logarithm is
            uniform.
        shorter_side: least and largest shorter side, in pixels, that the image is resized to
            before; None not to.
        flip: whether it is mirrored with probability 1/2.
        reduce: the shorter side, in pixels, that a larger image is reduced to before anything
            else; None not to.
    """

    size: int
    area: tuple[float, float] | None = None
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    shorter_side: tuple[int, int] | None = None
    flip: bool = True
    reduce: int | None = None

    @property
    def is_drawn(self) -> bool:
        """It always is."""
        return True

    def of(self, image: Image.Image, key: Key | None, index: int) -> NDArray[np.uint8]:
        """See View."""
        assert key is not None, "of the draws"
        image = _reduced(image, self.reduce)
        if self.shorter_side is not None:
            least, largest = self.shorter_side
            drawn = next(uniforms(key, "shorter side", index))
            image = with_shorter_side(image, least + whole(drawn, largest - least + 1))
        draws = uniforms(key, "crop", index)
        if self.area is None:
            left, top = (whole(next(draws), length - self.size + 1) for length in image.size)
            seen = image.crop((left, top, left + self.size, top + self.size))
        else:
            box = random_part(*image.size, self.area, self.aspect, draws)
            seen = _resized(image.crop(box), self.size, self.size)
        square = pixels(seen)
        flipped = self.flip and next(uniforms(key, "flip", index)) < 0.5
        return square[:, :, ::-1] if flipped else square


def random_part(
    width: int,
    height: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
    draws: Iterator[float],
) -> tuple[int, int, int, int]:
    """A part of an image with a random area and aspect (Szegedy et al. 2015, section 6).

    As torchvision's RandomResizedCrop: of ten tries the first that is inside the image, at a place
    that is uniform among those where it fits; else the largest centred part whose aspect is in the
    range.

    Returns:
        left, top, right, bottom, in pixels.
    """
    logs = math.log(aspect[0]), math.log(aspect[1])
    for _ in range(_TRIES):
        target = width * height * (area[0] + (area[1] - area[0]) * next(draws))
        ratio = math.exp(logs[0] + (logs[1] - logs[0]) * next(draws))
        wide, high = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
        if 0 < wide <= width and 0 < high <= height:
            top = whole(next(draws), height - high + 1)
            left = whole(next(draws), width - wide + 1)
            return left, top, left + wide, top + high
    wide, high = width, height
    if width / height < aspect[0]:
        high = max(1, round(width / aspect[0]))
    elif width / height > aspect[1]:
        wide = max(1, round(height * aspect[1]))
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def with_shorter_side(image: Image.Image, side: int) -> Image.Image:
    """Enlarged or reduced; the longer side is rounded down, as by torchvision's Resize.

    Raises ValueError for what would have more pixels than any image may have.
    """
    width, height = image.size
    if min(width, height) == side:
        return image
    longer = int(side * max(width, height) / min(width, height))
    if side * longer > LARGEST_PIXELS:
        raise ValueError(
            f"it is {width} x {height}, which would become {side * longer:,} pixels with a shorter"
            f" side of {side}"
        )
    return _resized(image, *((side, longer) if width <= height else (longer, side)))


def centred_square(image: Image.Image, size: int) -> Image.Image:
    """The largest centred square, with `size` pixels a side."""
    from PIL import Image

    side = min(image.size)
    left, top = ((length - side) / 2 for length in image.size)
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=box)


def pixels(image: Image.Image) -> NDArray[np.uint8]:
    """An image in RGB as (3, H, W), uint8."""
    return np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)


def _reduced(image: Image.Image, side: int | None) -> Image.Image:
    return image if side is None else reduced(image, side)


def _resized(image: Image.Image, width: int, height: int) -> Image.Image:
    from PIL import Image

    return image.resize((width, height), Image.Resampling.BILINEAR)
