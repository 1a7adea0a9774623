"""How many images are measured at once, without a tensor library: planning counts with it too."""

from __future__ import annotations

EVALUATION_BATCH = 1_000
"""Images a batch. Fixed, because noise is drawn batch by batch: another number, other noise."""

_FORWARD_BATCH = {"cpu": 125}
"""Images at a time through the network, EVALUATION_BATCH unless given. A CPU's caches hold the
activations of this many, which makes it twice as fast; each image's logits are the same."""

_PIXELS = 64 * 64


def forward_batch(device: str, pixels: int) -> int:
    """How many images go through a network at once when it is measured.

    Args:
        device: a type of device, such as "cpu" or "cuda".
        pixels: of an image, height times width.
    """
    return of_pixels(_FORWARD_BATCH.get(device, EVALUATION_BATCH), pixels)


def of_pixels(images: int, pixels: int) -> int:
    """So many images of up to 64x64 pixels; of larger ones as many as have no more pixels than
    these, and at least one: what passes through a network needs memory by the pixel.
    """
    return max(1, images * _PIXELS // max(_PIXELS, pixels))
