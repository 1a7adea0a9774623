"""Random numbers of one image in one epoch, whoever draws them, and when.

Drawn by Philox4x64-10, whose numbers are a function of a key and a counter and of nothing drawn
before (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). NumPy guarantees its
raw stream (NEP 19) but not what its Generator makes of that, so numbers are made of it here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Key(NamedTuple):
    """What the draws of an epoch are keyed by: the run's seed, and the epoch."""

    seed: int
    epoch: int


def uniforms(key: Key, purpose: str, index: int) -> Iterator[float]:
    """Numbers uniform in [0, 1), multiples of 2^-53, for one purpose and image.

    Philox's key is the first 128 bits of the SHA-256 of "seed/purpose/epoch", and its counter
    begins at index * 2^128, so that no two images have draws in common.

    Args:
        purpose: a short name without a slash, e.g. "crop".
        index: of the image in the dataset, 0 to 2^64 - 1.
    """
    generator = np.random.Philox(key=_philox_key(key, purpose), counter=[0, 0, index, 0])
    while True:
        yield (int(generator.random_raw()) >> 11) * 2.0**-53


def whole(uniform: float, count: int) -> int:
    """0..count-1 of a number uniform in [0, 1), each with its probability to within 2^-53."""
    return int(uniform * count)


@lru_cache(maxsize=64)
def _philox_key(key: Key, purpose: str) -> int:
    if "/" in purpose:
        raise ValueError(f"a purpose has no slash, and {purpose!r} has one")
    digest = hashlib.sha256(f"{key.seed}/{purpose}/{key.epoch}".encode()).digest()
    return int.from_bytes(digest[:16], "big")
