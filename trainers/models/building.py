"""Networks, built from their options; and what there is to count of one."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def build(builder: str | Callable[..., nn.Module], *given: Any, **image: Any) -> nn.Module:
    """The builder's network of the arguments that `Architecture.build` has."""
    make = pkgutil.resolve_name(builder) if isinstance(builder, str) else builder
    # Layers draw default weights when they are made, before ours replace them.
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = make(*given, **image)
    return network


def measure(
    builder: str | Callable[..., nn.Module],
    options: Any,
    scheme: Any,
    *,
    channels: int,
    classes: int,
    size: int,
) -> tuple[int, int]:
    """Trainable parameters, and multiply-adds of one image's forward pass in evaluation mode.

    Multiply-adds are without the classifier's. The network is built on torch's meta device, which
    has shapes and no numbers; one that fails there, since it needs numbers while it is built or
    evaluated, is built on the CPU.

    Args:
        size: pixels a side of an image.
    """
    # Imports a GPU compiler, which a worker has no use for: half a second.
    from trainers.models.multiply_adds import MultiplyAdds

    def on(device: str) -> tuple[int, int]:
        with torch.device(device):
            image = {"channels": channels, "classes": classes}
            network = build(builder, options, scheme, **image, generator=torch.Generator("cpu"))
            network.eval()
            counter = MultiplyAdds(apart=getattr(network, "classifier", None))
            with torch.no_grad(), counter:
                network(torch.zeros(1, channels, size, size))
        trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
        return trained, counter.total

    try:
        return on("meta")
    except Exception:
        return on("cpu")
