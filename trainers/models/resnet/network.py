"""The residual network with activations after the sum (He et al. 2016).

    y_{n+1} = phi(P y_n + f(y_n)),   f = 3x3conv-BN-phi-3x3conv-BN

with P the identity, or a 1x1 convolution and a batch normalisation where a state's shape changes;
in bottleneck blocks f = 1x1conv-BN-phi-3x3conv-BN-phi-1x1conv-BN, with the stride in the 3x3
("v1.5"). The head is an average over all pixels and a linear layer. The stem is one 3x3
convolution, BN, phi, as is usual for images of 32x32: of four stages from width 64 it is the
ResNet18 and ResNet34 that Newton-ResNet is compared with, by the parameters that its tables print.
With body imagenet it is that of He et al. (Table 1), and the network computes what torchvision's
of the same depth does.
"""

from __future__ import annotations

from typing import Any

from torch import Generator, Tensor, nn
from typing_extensions import override

from trainers.models.batch_norm import BatchNorm
from trainers.models.network import StandardNetwork
from trainers.models.resnet.options import Activation, ResNetOptions, layout_of
from trainers.models.wide.layers import convolution, imagenet_stem, projection
from trainers.models.wide.layout import WideBlock


def activation_layer(activation: Activation) -> nn.Module:
    """phi."""
    return nn.ReLU() if activation == "relu" else nn.Identity()


def shortcut_of(block: WideBlock) -> nn.Sequential:
    """P: (N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
    if not block.changes_shape:
        return nn.Sequential()
    return nn.Sequential(projection(block), BatchNorm(block.outputs))


class ResidualBlock(nn.Module):
    """One step: (N, inputs, H, W) -> (N, outputs, H/stride, W/stride), rounded up."""

    def __init__(self, block: WideBlock, activation: Activation) -> None:
        super().__init__()
        first, second = map(convolution, block.convolutions)
        self.conv1 = first
        self.norm1 = BatchNorm(block.outputs)
        self.conv2 = second
        self.norm2 = BatchNorm(block.outputs)
        self.activation = activation_layer(activation)
        self.shortcut = shortcut_of(block)

    def function(self, state: Tensor) -> Tensor:
        """f: (N, inputs, H, W) -> (N, outputs, H', W')."""
        inner = self.activation(self.norm1(self.conv1(state)))
        out: Tensor = self.norm2(self.conv2(inner))
        return out

    @override
    def forward(self, state: Tensor) -> Tensor:
        new: Tensor = self.activation(self.shortcut(state) + self.function(state))
        return new


class BottleneckBlock(nn.Module):
    """One step: (N, inputs, H, W) -> (N, outputs, H/stride, W/stride), rounded up."""

    def __init__(self, block: WideBlock, activation: Activation) -> None:
        super().__init__()
        first, second, third = map(convolution, block.convolutions)
        self.conv1 = first
        self.norm1 = BatchNorm(block.inner)
        self.conv2 = second
        self.norm2 = BatchNorm(block.inner)
        self.conv3 = third
        self.norm3 = BatchNorm(block.outputs)
        self.activation = activation_layer(activation)
        self.shortcut = shortcut_of(block)

    def features(self, state: Tensor) -> Tensor:
        """What the last convolution of f is given: (N, inputs, H, W) -> (N, inner, H', W')."""
        inner = self.activation(self.norm1(self.conv1(state)))
        out: Tensor = self.activation(self.norm2(self.conv2(inner)))
        return out

    @override
    def forward(self, state: Tensor) -> Tensor:
        slope = self.norm3(self.conv3(self.features(state)))
        new: Tensor = self.activation(self.shortcut(state) + slope)
        return new


class ResidualNetwork(StandardNetwork):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H and W."""

    @override
    def make(self, options: ResNetOptions, _scheme: None, channels: int, _: Generator) -> int:
        phi = activation_layer(options.activation)
        if options.body == "imagenet":
            self.stem: nn.Module = imagenet_stem(channels, options.width, activation=phi)
        else:
            conv = nn.Conv2d(channels, options.width, 3, padding=1, bias=False)
            self.stem = nn.Sequential(conv, BatchNorm(options.width), phi)
        layout = layout_of(options)
        self.blocks = nn.ModuleList(self.make_block(block, options) for block in layout)
        return layout[-1].outputs

    def make_block(self, block: WideBlock, options: Any) -> nn.Module:
        """One residual block."""
        kind = BottleneckBlock if block.bottleneck else ResidualBlock
        return kind(block, options.activation)
