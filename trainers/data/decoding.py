"""Image files as pixels, by Pillow and as nothing but the format that is expected.

By Pillow although torchvision decodes a JPEG of 500 x 375 in two thirds of its time: torchvision's
decoders are deprecated since 0.29, to be removed.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

LARGEST_IMAGE = 2**28
"""Bytes of an image file."""

LARGEST_PIXELS = 2 * (2**30 // 4 // 3)
"""Pixels of an image: that Pillow decodes at most, unless it is told otherwise."""


def decoded(encoded: bytes, formats: Sequence[str]) -> Image.Image:
    """One image file in RGB: grey is repeated, transparency is dropped.

    Of an animation it is the first frame. Orientation in EXIF is not looked at.

    Args:
        formats: that it may have, as Pillow calls them; no others are tried. Left to itself, Pillow
            opens whatever the content is, such as PostScript, for which it starts Ghostscript.

    Raises:
        ValueError, OSError: it cannot be read, has another format, or more than 8 bits a channel.
    """
    from PIL import Image, UnidentifiedImageError

    damage = (SyntaxError, EOFError, TypeError, IndexError, KeyError, struct.error, zlib.error)
    try:
        with Image.open(io.BytesIO(encoded), formats=tuple(formats)) as image:
            if image.mode in ("I", "F") or image.mode.startswith("I;"):
                raise ValueError("it has more than 8 bits a channel")
            # By way of RGBA, or Pillow warns of what it drops from some palettes.
            seen = image.convert("RGBA") if "transparency" in image.info else image
            if seen.mode != "RGB":
                return seen.convert("RGB")
            seen.load()  # and not converted, which would copy it
            return seen
    except UnidentifiedImageError:
        named = " or ".join(dict.fromkeys(formats))
        raise ValueError(f"it is no {named} that Pillow can read") from None
    except (*damage, Image.DecompressionBombError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def reduced(image: Image.Image, shorter_side: int) -> Image.Image:
    """The image with a shorter side of so many pixels; as it is where that is no longer than this.

    Bilinear with antialiasing, and the longer side rounded down, as by torchvision's Resize.
    """
    from PIL import Image

    width, height = image.size
    if min(width, height) <= shorter_side:
        return image
    longer = int(shorter_side * max(width, height) / min(width, height))
    size = (shorter_side, longer) if width <= height else (longer, shorter_side)
    return image.resize(size, Image.Resampling.BILINEAR)
