"""The residual network of basic blocks with activations after the sum (He et al. 2016).

    y_{n+1} = phi(P y_n + f(y_n)),   f = 3x3conv-BN-phi-3x3conv-BN

with P the identity, or a 1x1 convolution of stride 2 and a batch normalisation where the stage
changes. The stem is one 3x3 convolution, BN, phi, as is usual for images of 32x32; the head an
average over all pixels and a linear layer. Of four stages from width 64 it is the ResNet18 and
ResNet34 that Newton-ResNet is compared with, by the parameters that its tables print.
"""

from __future__ import annotations

from typing import Any

from torch import Generator, Tensor, nn
from torch.nn import functional
from typing_extensions import override

from trainers.models.network import StandardNetwork
from trainers.models.resnet.options import Activation, ResNetOptions, channels_of


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that takes one value a channel too.

    Four stages make one pixel of 8x8, and the last batch of an epoch may be one image: a single
    value has no variance, so that it is normalised by the running statistics instead.
    """

    @override
    def forward(self, state: Tensor) -> Tensor:
        if self.training and state.numel() == self.num_features:
            return functional.batch_norm(
                state, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(state)


def activation_layer(activation: Activation) -> nn.Module:
    """phi."""
    return nn.ReLU() if activation == "relu" else nn.Identity()


class ResidualBlock(nn.Module):
    """One step: (N, inputs, H, W) -> (N, outputs, H, W); H and W are halved, rounded up, if the
    widths differ.
    """

    def __init__(self, inputs: int, outputs: int, activation: Activation) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = BatchNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = BatchNorm(outputs)
        self.activation = activation_layer(activation)
        self.shortcut = nn.Sequential()
        if inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride=2, bias=False))
            self.shortcut.append(BatchNorm(outputs))

    def function(self, state: Tensor) -> Tensor:
        """f: (N, inputs, H, W) -> (N, outputs, H', W')."""
        inner = self.activation(self.norm1(self.conv1(state)))
        out: Tensor = self.norm2(self.conv2(inner))
        return out

    @override
    def forward(self, state: Tensor) -> Tensor:
        new: Tensor = self.activation(self.shortcut(state) + self.function(state))
        return new


class ResidualNetwork(StandardNetwork):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H and W."""

    @override
    def make(self, options: ResNetOptions, _scheme: None, channels: int, _: Generator) -> int:
        self.stem = nn.Sequential(
            nn.Conv2d(channels, options.width, 3, padding=1, bias=False),
            BatchNorm(options.width),
            activation_layer(options.activation),
        )
        channels_of_blocks = channels_of(options)
        self.blocks = nn.ModuleList(
            self.make_block(inputs, outputs, options) for inputs, outputs in channels_of_blocks
        )
        return channels_of_blocks[-1][1]

    def make_block(self, inputs: int, outputs: int, options: Any) -> nn.Module:
        """A block between states of these channels."""
        return ResidualBlock(inputs, outputs, options.activation)
