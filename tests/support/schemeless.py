"""Networks that follow no multistep scheme: their norms and gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def scramble(network: nn.Module, seed: int = 3) -> None:
    """Norms with arbitrary weights and statistics, so that none of them is the identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            kind = name.split(".")[-1]
            if kind in ("running_mean", "mean") or ("norm" in name and kind == "bias"):
                tensor.normal_(generator=generator)
            elif kind in ("running_var", "variance") or ("norm" in name and kind == "weight"):
                tensor.uniform_(0.5, 2, generator=generator)


def normed(state: Tensor, norm: Any) -> Tensor:
    """A norm in evaluation mode, from its formula."""
    return scaled(state, norm, norm.running_mean, norm.running_var)


def scaled(state: Tensor, norm: Any, mean: Tensor, variance: Tensor) -> Tensor:
    def over_channels(vector: Tensor) -> Tensor:
        return vector[:, None, None]

    unit = (state - over_channels(mean)) / over_channels((variance + 1e-5).sqrt())
    return unit * over_channels(norm.weight) + over_channels(norm.bias)


def gradients(network: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    for parameter in network.parameters():
        parameter.grad = None
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
