"""The scheme that each block has learned, with the roots that decide its stability."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from trainers.config.job import BlockScheme
from trainers.models.coefficients import Learned, learning_blocks


@torch.no_grad()
def block_schemes(network: nn.Module) -> list[BlockScheme] | None:
    """Of each block that learns a scheme's coefficients, in order; None if there is no such block.

    Coefficients are those that the network applies, in float32. Roots are those of the scheme that
    they stand for, exact in the parameter that was learned (see `Learned.scheme`).
    """
    if not hasattr(network, "blocks"):
        return None
    found = [_block(number, learned) for number, learned in learning_blocks(network).items()]
    return found or None


def _block(number: int, learned: Learned) -> BlockScheme:
    *alpha, beta = learned.coefficients().tolist()
    scheme = learned.scheme() if all(map(math.isfinite, (*alpha, beta))) else None
    known = scheme.known_moduli if scheme else None
    moduli = None if known is None else _finite(known)
    return {
        "block": number,
        "alpha": _finite(alpha),
        "beta": _finite([beta])[0],
        "root_moduli": moduli,
        "max_root_modulus": moduli[0] if moduli else None,
        # Of learned coefficients it is judged by the roots.
        "zero_stable": scheme.zero_stable if scheme and moduli else None,
        "consistent": scheme.consistent if scheme else None,
        "order": scheme.order if scheme else None,
    }


def _finite(values: Iterable[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]
