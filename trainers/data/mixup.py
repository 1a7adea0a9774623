"""Mixup: images and labels that are the weighted mean of two (Zhang et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Mix(NamedTuple):
    """How the images of a batch are mixed with each other.

    Attributes:
        kept: the share of each image itself, 0 to 1.
        partners: (B,), int64, the place in the batch of the one that has the rest.
    """

    kept: float
    partners: Tensor

    def of(self, images: Tensor) -> Tensor:
        """(B, ...) -> (B, ...), floating point."""
        return self.kept * images + (1 - self.kept) * images[self.partners]


def draw_mixes(
    alpha: float, sizes: Sequence[int], generator: torch.Generator, device: torch.device
) -> Iterator[Mix]:
    """For each batch of so many images a share from Beta(alpha, alpha), and a permutation.

    Shares are drawn by the inverse of the distribution function, one uniform number each: torch's
    own draws from a Beta distribution take no generator.
    """
    from scipy.special import betaincinv

    uniform = torch.rand(len(sizes), dtype=torch.float64, generator=generator)
    shares = betaincinv(alpha, alpha, uniform.numpy())
    for share, size in zip(shares.tolist(), sizes, strict=True):
        yield Mix(share, torch.randperm(size, generator=generator).to(device))
