"""What planning needs to know of a network before anyone builds it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from trainers.methods.fractions import Whole

if TYPE_CHECKING:
    import torch

    from trainers.methods.scheme_config import SchemeConfig


class ModelOptions(BaseModel):
    """Options of one network. Subclasses add theirs; `name` is the key in MODELS."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    depth: Whole


@dataclass(frozen=True)
class Architecture:
    """One entry of MODELS; free of torch, so that planning stays quick.

    Attributes:
        options: the class that validates the options a spec gives.
        default_scheme: what a spec without a scheme means, as the spec would write it; None if
            the network is no linear multistep method: then it takes no scheme, and is given None
            where the others get theirs.
        complete: fills in what depends on the scheme, and checks that both go together
            (ConfigError, with the key of the option, if not).
        count_parameters: (options, scheme, channels, classes) -> trainable parameters.
        count_multiply_adds: (options, scheme, channels, image size) -> multiply-adds of one image's
            forward pass, from which costs are estimated.
        builder: "module:function" with (options, scheme, channels, classes, generator) -> network;
            imported only when a network is built.
        learns_coefficients: whether its blocks learn coefficients of their own, without a scheme
            that says so.

    A network is a torch.nn.Module from images (N, channels, H, W) to logits (N, classes). It has
    `blocks`, an nn.ModuleList in forward order, and `states(images)`, which yields the state
    that leaves the stem and each block. A block that learns coefficients which are no scheme's has
    `learned_values()`, a dict of them by name. A network that draws at random while it trains has
    `begin_epoch(draw)`, called before each epoch: `draw(purpose)` is a fresh generator on the CPU,
    keyed by the run's seed, the purpose and the epoch. What such a network draws for each batch it
    draws in its pass. A compiled graph cannot: so it also has `begin_batch(images)`, which draws
    for the next pass of so many images, and is called before each that trains through a graph.
    """

    options: type[ModelOptions]
    default_scheme: Any
    complete: Callable[[Any, Any], ModelOptions]
    count_parameters: Callable[[Any, Any, int, int], int]
    count_multiply_adds: Callable[[Any, Any, int, int], int]
    builder: str
    learns_coefficients: bool = False

    def build(
        self,
        options: ModelOptions,
        scheme: SchemeConfig | None,
        *,
        channels: int,
        classes: int,
        generator: torch.Generator,
    ) -> torch.nn.Module:
        """The network with its initial weights drawn from `generator`, and from nothing else."""
        import torch

        module, _, function = self.builder.partition(":")
        builder = getattr(importlib.import_module(module), function)
        # Layers draw default weights when they are made, before ours replace them.
        with torch.random.fork_rng(devices=[]):
            network: torch.nn.Module = builder(
                options, scheme, channels=channels, classes=classes, generator=generator
            )
        return network
