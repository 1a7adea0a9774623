"""Initial weights, drawn in the same way by all networks."""

from __future__ import annotations

import math

import torch
from torch import nn


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """He-normal by fan-out for convolutions; the classifier as torch draws it by default.

    A network on the meta device, which is only counted, has nothing to draw for.
    """
    if next(network.parameters()).is_meta:
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            nn.init.uniform_(module.bias, -bound, bound, generator=generator)
