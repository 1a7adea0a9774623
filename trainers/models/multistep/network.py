"""The multistep residual network: one class for PreResNet, LM-ResNet, ZeroSNet and TM-ResNet.

    y_{n+1} = alpha_0 y_n + ... + alpha_{d-1} y_{n-d+1} + beta f(y_n)

with f = BN-ReLU-3x3conv-BN-ReLU-3x3conv, or in bottleneck blocks three such triplets, of a 1x1, a
3x3 and a 1x1 convolution (He et al. 2016; ZeroSNet, Figure 3). Details follow the authors' released
code where the papers are silent: a stem of one 3x3 convolution without norm or activation, the
first blocks as plain Euler steps, He-normal (fan-out) initialisation; with bottleneck blocks, a
stride in the 3x3 convolution, and BN-ReLU-1x1conv from the stem's width to the wider states. There
ZeroSNet's code projects the stem's state a second time for the step that reaches back to it; here
the history is what the first block projected, as at every other change of width.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Generator, Tensor, nn
from torch.nn import functional
from typing_extensions import override

from trainers.methods.scheme_config import SchemeConfig
from trainers.models.coefficients import coefficients_of
from trainers.models.multistep.layout import Block
from trainers.models.multistep.options import MultistepOptions, layout_of
from trainers.models.multistep.stochastic_depth import (
    DroppedBlocks,
    Kept,
    absent_slope,
    survival_probabilities,
    training_slope,
)
from trainers.models.network import MultistepStates, NormedNetwork


class ResidualFunction(nn.Module):
    """f of one block: (N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)

    @override
    def forward(self, state: Tensor) -> Tensor:
        inner = self.conv1(functional.relu(self.norm1(state)))
        out: Tensor = self.conv2(functional.relu(self.norm2(inner)))
        return out


def normed(
    state: Tensor, norm: nn.BatchNorm2d, mean: Tensor | None, variance: Tensor | None
) -> Tensor:
    """The norm's scale and shift, with other running statistics than its own."""
    assert norm.momentum is not None
    return functional.batch_norm(
        state,
        mean,
        variance,
        norm.weight,
        norm.bias,
        training=norm.training,
        momentum=norm.momentum,
        eps=norm.eps,
    )


class BottleneckFunction(nn.Module):
    """f of one bottleneck block: (N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""

    def __init__(self, block: Block, groups: int = 1) -> None:
        super().__init__()
        inner = block.inner
        self.norm1 = nn.BatchNorm2d(block.inputs)
        self.conv1 = nn.Conv2d(block.inputs, inner, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(
            inner, inner, 3, stride=block.stride, padding=1, groups=groups, bias=False
        )
        self.norm3 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, block.outputs, 1, bias=False)

    @override
    def forward(self, state: Tensor) -> Tensor:
        inner = self.conv1(functional.relu(self.norm1(state)))
        inner = self.conv2(functional.relu(self.norm2(inner)))
        out: Tensor = self.conv3(functional.relu(self.norm3(inner)))
        return out


def _function(block: Block) -> nn.Module:
    if block.bottleneck:
        return BottleneckFunction(block)
    return ResidualFunction(block.inputs, block.outputs, block.stride)


class MultistepBlock(nn.Module):
    """One step of the scheme, or one Euler step for a start block.

    Args:
        survival: p_l, the probability that a batch of training meets f (stochastic depth).
    """

    def __init__(
        self, block: Block, scheme: SchemeConfig, generator: Generator, survival: float = 1
    ) -> None:
        super().__init__()
        self.survival = survival
        self.function = _function(block)
        self.projections = nn.ModuleList(
            nn.Conv2d(block.inputs, block.outputs, 1, stride=block.stride, bias=False)
            for _ in range(block.carried)
        )
        self.projection_norm = nn.BatchNorm2d(block.inputs) if block.normed else None
        self.coefficients = coefficients_of(scheme, generator) if block.multistep else None

    def _carry(self, history: list[Tensor]) -> list[Tensor]:
        """The history in this block's width and resolution."""
        if self.projection_norm is not None:
            normed = functional.relu(self.projection_norm(history[0]))
            return [self.projections[0](normed)]
        if self.projections:
            # States without a projection are too old for any later block.
            return [
                project(state) for project, state in zip(self.projections, history, strict=False)
            ]
        return history

    def _slope(self, state: Tensor, kept: Kept) -> Tensor | None:
        if self.training:
            return training_slope(self.function, state, kept)
        slope: Tensor = self.function(state)
        return slope if self.survival == 1 else slope * self.survival

    def forward(self, history: list[Tensor], kept: Kept = True) -> list[Tensor]:
        """From [y_n, y_{n-1}, ...] to [y_{n+1}, y_n, ...], each state (N, C, H, W).

        Without f if `kept` is False; only training asks for that.
        """
        slope = self._slope(history[0], kept)
        history = self._carry(history)
        if slope is None:
            slope = absent_slope(self.function, history[0])
        if self.coefficients is None:
            return [history[0] + slope, *history]
        return [self.coefficients(slope, history), *history]


class MultistepNetwork(MultistepStates, NormedNetwork):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H, W >= 4."""

    @override
    def make(
        self, options: MultistepOptions, scheme: SchemeConfig, channels: int, generator: Generator
    ) -> int:
        layout = layout_of(options, scheme)
        self.steps = scheme.steps
        self.stem = nn.Conv2d(channels, options.width, 3, padding=1, bias=False)
        last = 1 if options.survival is None else options.survival
        survival = survival_probabilities(last, len(layout))
        self.blocks = nn.ModuleList(
            MultistepBlock(block, scheme, generator, survives)
            for block, survives in zip(layout, survival, strict=True)
        )
        self.dropped = None if options.survival is None else DroppedBlocks(survival)
        features = layout[-1].outputs
        self.norm = nn.BatchNorm2d(features)
        return features

    def begin_epoch(self, draw: Callable[[str], Generator]) -> None:
        """See Architecture; a network without stochastic depth draws nothing."""
        if self.dropped is not None:
            self.dropped.begin_epoch(draw)

    def begin_batch(self, images: int) -> None:
        """See Architecture."""
        if self.dropped is not None:
            self.dropped.begin_batch()

    @override
    def for_blocks(self, images: Tensor) -> list[tuple[Kept]]:
        if self.dropped is not None and self.training:
            return [(kept,) for kept in self.dropped()]
        return [(True,)] * len(self.blocks)
