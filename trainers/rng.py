"""Random numbers that depend on nothing but a run's seed, what they are for, and the epoch."""

from __future__ import annotations

import hashlib

import torch


def seeded_generator(seed: int, purpose: str, epoch: int = 0) -> torch.Generator:
    """A fresh generator on the CPU, keyed by (seed, purpose, epoch).

    The draws of one purpose and epoch are the same whatever was drawn before, by whom, and on
    which device the network is, so that a run resumed at any epoch draws what it would have
    drawn. The key is the first 63 bits of the SHA-256 of "seed/purpose/epoch". PyTorch's CPU
    generator starts from the low 32 bits of it, so two keys share their draws with a probability
    of 2^-32: nothing within a run, and without harm between runs.

    Args:
        seed: of the run.
        purpose: a short name without a slash, e.g. "crops".
        epoch: for draws that are other ones in each epoch.

    Raises:
        ValueError: `purpose` has a slash, which would let two keys be one.
    """
    if "/" in purpose:
        raise ValueError(f"a purpose has no slash, and {purpose!r} has one")
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
