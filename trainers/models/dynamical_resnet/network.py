"""The base network, and ResNet with and without BN: one iteration x_{l+1} = f(x_l) or f(x_l) + x_l.

"Understanding ResNet from a discrete dynamical system perspective", Section 2 and Figure 1; see
`trainers.models.dynamical_resnet.options` for which options are which network.
"""

from __future__ import annotations

from torch import Generator, Tensor, nn
from typing_extensions import override

from trainers.models.dynamical_resnet.options import DynamicalResNetOptions, blocks_of
from trainers.models.network import StandardNetwork
from trainers.models.wide.layers import (
    ActivatedNorm,
    PostActivationFunction,
    PreActivationFunction,
    WideStem,
    projection,
)
from trainers.models.wide.layout import WideBlock


class PreActivationBlock(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride).

    A projection shares the first BN-ReLU of f, as in the released code of He et al. (2016b).
    """

    def __init__(self, block: WideBlock, *, shortcut: bool, batch_norm: bool) -> None:
        super().__init__()
        self.function = PreActivationFunction(block, batch_norm=batch_norm)
        self.shortcut = shortcut
        self.projection = projection(block) if shortcut and block.changes_shape else None

    @override
    def forward(self, state: Tensor) -> Tensor:
        activated = self.function.activate(state)
        out: Tensor = self.function(activated)
        if not self.shortcut:
            return out
        return out + (state if self.projection is None else self.projection(activated))


class PostActivationBlock(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""

    def __init__(self, block: WideBlock, *, shortcut: bool, batch_norm: bool) -> None:
        super().__init__()
        self.function = PostActivationFunction(block, batch_norm=batch_norm)
        self.shortcut = shortcut
        self.projection: nn.Module | None = None
        if shortcut and block.changes_shape:
            norm = nn.BatchNorm2d(block.outputs) if batch_norm else nn.Identity()
            self.projection = nn.Sequential(projection(block), norm)

    @override
    def forward(self, state: Tensor) -> Tensor:
        out: Tensor = self.function(state)
        if not self.shortcut:
            return out
        return out + (state if self.projection is None else self.projection(state))


class DynamicalResNet(StandardNetwork):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H, W >= 8."""

    @override
    def make(
        self, options: DynamicalResNetOptions, _scheme: None, channels: int, _: Generator
    ) -> int:

        def activation(features: int) -> nn.Module:
            return ActivatedNorm(features, batch_norm=options.batch_norm)

        blocks = blocks_of(options)
        features = blocks[-1].outputs
        pre = options.preactivation
        kind = PreActivationBlock if pre else PostActivationBlock
        after_stem = None if pre else activation(options.width)
        self.stem = WideStem(options.stem, channels, options.width, after_stem)
        self.blocks = nn.ModuleList(
            kind(block, shortcut=options.shortcuts, batch_norm=options.batch_norm)
            for block in blocks
        )
        # He et al. (2016b, appendix): full pre-activation ends with an activation of its own.
        self.activation = activation(features) if pre else nn.Identity()
        return features

    @override
    def pooled(self, state: Tensor) -> Tensor:
        features: Tensor = self.activation(state).mean(dim=(2, 3))
        return features
