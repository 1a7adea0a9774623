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
    evaluated, or operators that `MultiplyAdds` does not know, is built on the CPU, and counted by
    torch itself.

    Args:
        size: pixels a side of an image.
    """
    # Imports a GPU compiler, which a worker has no use for: half a second.
    from torch.utils.flop_counter import FlopCounterMode

    from trainers.models.multiply_adds import MultiplyAdds

    def built() -> tuple[nn.Module, torch.Tensor]:
        image = {"channels": channels, "classes": classes}
        network = build(builder, options, scheme, **image, generator=torch.Generator("cpu"))
        return network.eval(), torch.zeros(1, channels, size, size)

    try:
        with torch.device("meta"), torch.no_grad():
            network, image = built()
            with MultiplyAdds(apart=getattr(network, "classifier", None)) as counter:
                network(image)
        multiply_adds = counter.total
    except Exception:
        with torch.device("cpu"), torch.no_grad():
            network, image = built()
            with FlopCounterMode(display=False) as by_torch:
                network(image)
        found = {name: sum(counts.values()) for name, counts in by_torch.get_flop_counts().items()}
        apart = found.get(f"{type(network).__name__}.classifier", 0)
        multiply_adds = (found.get("Global", 0) - apart) // 2
    return sum(p.numel() for p in network.parameters() if p.requires_grad), multiply_adds
