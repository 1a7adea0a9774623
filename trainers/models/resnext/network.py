"""ResNeXt for small images (Xie et al. 2017), and LM-ResNeXt on the same body (Lu et al. 2018).

    y_{n+1} = alpha_0 y_n + ... + alpha_{d-1} y_{n-d+1} + beta f(y_n)

with f of three convolutions: 1x1, 3x3 in `cardinality` groups, 1x1. With preactivation f is
BN-ReLU-1x1-BN-ReLU-3x3-BN-ReLU-1x1, the stem a bare 3x3 convolution, and BN-ReLU precedes the
pooling, as in this project's other multistep networks. The original is 1x1-BN-ReLU-3x3-BN-ReLU-
1x1-BN with ReLU(y + f(y)), a stem of 3x3 convolution, BN and ReLU, and a BN after each projection.

What the paper leaves open is done as in its released code: the first block widens the stem's
channels by a projection, the grouped convolution has the stride, and initial weights are normal
with variance 2 / (outputs x kernel), whatever the number of groups.
"""

from __future__ import annotations

from torch import Generator, Tensor, nn
from torch.nn import functional
from typing_extensions import override

from trainers.methods.scheme_config import SchemeConfig
from trainers.models.coefficients import coefficients_of
from trainers.models.multistep.layout import Block
from trainers.models.multistep.network import BottleneckFunction
from trainers.models.network import MultistepStates
from trainers.models.resnext.options import ResNeXtOptions, layout_of


class OriginalFunction(BottleneckFunction):
    """f with norms after convolutions: (N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""

    def __init__(self, block: Block, cardinality: int) -> None:
        super().__init__(block, cardinality)
        self.norm1 = nn.BatchNorm2d(block.inner)
        self.norm3 = nn.BatchNorm2d(block.outputs)

    @override
    def forward(self, state: Tensor) -> Tensor:
        inner = functional.relu(self.norm1(self.conv1(state)))
        inner = functional.relu(self.norm2(self.conv2(inner)))
        out: Tensor = self.norm3(self.conv3(inner))
        return out


def _projection(block: Block, options: ResNeXtOptions) -> nn.Module:
    convolution = nn.Conv2d(block.inputs, block.outputs, 1, stride=block.stride, bias=False)
    if not options.preactivation:
        return nn.Sequential(convolution, nn.BatchNorm2d(block.outputs))
    if block.normed:
        return nn.Sequential(nn.BatchNorm2d(block.inputs), nn.ReLU(), convolution)
    return convolution


class ResNeXtBlock(nn.Module):
    """One step of the scheme, or one Euler step for a start block."""

    def __init__(
        self, block: Block, options: ResNeXtOptions, scheme: SchemeConfig, generator: Generator
    ) -> None:
        super().__init__()
        self.relu_at_the_end = not options.preactivation
        kind = BottleneckFunction if options.preactivation else OriginalFunction
        self.function = kind(block, options.cardinality)
        self.projections = nn.ModuleList(_projection(block, options) for _ in range(block.carried))
        self.coefficients = coefficients_of(scheme, generator) if block.multistep else None

    def forward(self, history: list[Tensor]) -> list[Tensor]:
        """From [y_n, y_{n-1}, ...] to [y_{n+1}, y_n, ...], each state (N, C, H, W)."""
        slope = self.function(history[0])
        if len(self.projections):
            # States without a projection are too old for any later block.
            history = [
                project(state) for project, state in zip(self.projections, history, strict=False)
            ]
        step = self.coefficients
        new = history[0] + slope if step is None else step(slope, history)
        return [functional.relu(new) if self.relu_at_the_end else new, *history]


class ResNeXtNetwork(MultistepStates):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H, W >= 4."""

    @override
    def make(
        self, options: ResNeXtOptions, scheme: SchemeConfig, channels: int, generator: Generator
    ) -> int:
        layout = layout_of(options, scheme)
        self.steps = scheme.steps
        self.preactivation = options.preactivation
        self.stem = nn.Conv2d(channels, options.width, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList(
            ResNeXtBlock(block, options, scheme, generator) for block in layout
        )
        features = layout[-1].outputs
        # Before the pooling with preactivation, after the stem without.
        self.norm = nn.BatchNorm2d(features if self.preactivation else options.width)
        return features

    @override
    def first_state(self, images: Tensor) -> Tensor:
        first: Tensor = self.stem(images)
        return first if self.preactivation else functional.relu(self.norm(first))

    @override
    def pooled(self, state: Tensor) -> Tensor:
        last = functional.relu(self.norm(state)) if self.preactivation else state
        return last.mean(dim=(2, 3))
