"""Newton-ResNet: residual blocks with a second-order term that shares f (Newton Residual Learning).

    y_{n+1} = phi(x + f(y_n) + alpha N_2(N_1(x) * f(y_n))),   x = P y_n         (eq. 3)

with f, phi, P, stem and head of `trainers.models.resnet.network`, * element-wise and alpha a
learned scalar of each block. Without activations it is eq. 2, a polynomial of degree 2 in y_n.

Eq. 3 and Algorithm 1 differ: the algorithm has no alpha, ends f with phi and the block without,
and projects x on the shortcut path too. The block follows eq. 3 and Figure 2, so that without its
second-order term it is the block it is compared with; the projections of x and of the product are
the algorithm's. At a stage change the product takes the shortcut's x, which has f's shape.

In bottleneck blocks f has the width of the states, four times the inner one, and with projections
of that width Newton-ResNet-50 would be far larger than the paper prints (Table 6). The size fits

    y_{n+1} = phi(x + f(y_n) + alpha N_2(N_1(y_n) * g(y_n)))

with g what the last convolution of f is given, N_1 a 1x1 convolution of y_n to the inner width,
with the block's stride, and N_2 a 1x1 convolution from it to the outer one with BN.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from trainers.models.batch_norm import BatchNorm
from trainers.models.newton_resnet.options import NewtonOptions, Normalisation
from trainers.models.resnet.network import (
    BottleneckBlock,
    ResidualBlock,
    ResidualNetwork,
    activation_layer,
)
from trainers.models.resnet.options import Activation
from trainers.models.wide.layout import WideBlock

_HALF = (torch.float16, torch.bfloat16)


def normalisation(
    inputs: int,
    outputs: int,
    projections: int,
    kind: Normalisation,
    activation: Activation,
    *,
    stride: int = 1,
) -> nn.Sequential:
    """N_1 or N_2: (N, inputs, H, W) -> (N, outputs, H/stride, W/stride).

    The first projection changes the width and has the stride; without one both stay.
    """
    layers = nn.Sequential()
    for place in range(projections):
        first = (inputs, stride) if place == 0 else (outputs, 1)
        layers.append(nn.Conv2d(first[0], outputs, 1, stride=first[1], bias=False))
        if kind == "batch":
            layers.append(BatchNorm(outputs))
        layers.append(activation_layer(activation))
    if projections == 0 and kind == "batch":
        layers.append(BatchNorm(outputs))
    return layers


class SecondOrder(nn.Module):
    """What a block's second-order term needs, and how it is added to the rest."""

    alpha: nn.Parameter

    def make_second_order(
        self, inputs: int, inner: int, outputs: int, options: NewtonOptions, *, stride: int = 1
    ) -> None:
        """Makes N_1, from `inputs` channels to `inner`, and N_2, from these to `outputs`."""
        assert options.x_proj is not None
        assert options.norm_1 is not None
        phi_2 = options.projection_activation
        self.normalisation1 = normalisation(
            inputs, inner, options.x_proj, options.norm_1, phi_2, stride=stride
        )
        self.normalisation2 = normalisation(inner, outputs, options.lin_proj, options.norm_2, phi_2)
        self.alpha = nn.Parameter(torch.tensor(options.initial_alpha))
        self.tanh = options.tanh

    def learned_values(self) -> dict[str, Tensor]:
        """alpha, the weight of the second-order term; ()."""
        return {"alpha": self.alpha}

    def second_order(self, state: Tensor, features: Tensor) -> Tensor:
        """N_2(N_1(x) * f), from x and f, or what stands for them in a bottleneck block.

        "We use a tanh as a normalization for the second order term" in half precision (section
        4.4). It acts on the product, since this is what overflows, and before N_2, whose
        convolutions and statistics would carry an infinity on.
        """
        product = self.normalisation1(state) * features
        if self.tanh == "always" or (self.tanh == "half" and product.dtype in _HALF):
            product = product.tanh()
        term: Tensor = self.normalisation2(product)
        return term

    def both_orders(self, first: Tensor, second: Tensor) -> Tensor:
        """first + alpha second, in at least float32, since bf16 would round alpha: what trains is
        to be what is stored.
        """
        wide = torch.promote_types(first.dtype, torch.float32)
        return first.to(wide) + self.alpha * second.to(wide)


class NewtonBlock(SecondOrder, ResidualBlock):
    """One step of eq. 3; shapes as those of ResidualBlock."""

    def __init__(self, block: WideBlock, options: NewtonOptions) -> None:
        super().__init__(block, options.activation)
        self.make_second_order(block.outputs, block.outputs, block.outputs, options)

    @override
    def forward(self, state: Tensor) -> Tensor:
        shortcut, slope = self.shortcut(state), self.function(state)
        first, second = shortcut + slope, self.second_order(shortcut, slope)
        new: Tensor = self.activation(self.both_orders(first, second))
        return new.to(first.dtype)


class NewtonBottleneck(SecondOrder, BottleneckBlock):
    """One step with its product at the inner width; shapes as those of BottleneckBlock."""

    def __init__(self, block: WideBlock, options: NewtonOptions) -> None:
        super().__init__(block, options.activation)
        self.make_second_order(
            block.inputs, block.inner, block.outputs, options, stride=block.stride
        )

    @override
    def forward(self, state: Tensor) -> Tensor:
        features = self.features(state)
        first = self.shortcut(state) + self.norm3(self.conv3(features))
        second = self.second_order(state, features)
        new: Tensor = self.activation(self.both_orders(first, second))
        return new.to(first.dtype)


class NewtonNetwork(ResidualNetwork):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H and W."""

    @override
    def make_block(self, block: WideBlock, options: NewtonOptions) -> nn.Module:
        """One residual block."""
        return NewtonBottleneck(block, options) if block.bottleneck else NewtonBlock(block, options)
