"""Newton-ResNet: residual blocks with a second-order term that shares f (Newton Residual Learning).

    y_{n+1} = phi(x + f(y_n) + alpha N_2(N_1(x) * f(y_n))),   x = P y_n         (eq. 3)

with f, phi, P, stem and head of `trainers.models.resnet.network`, * element-wise and alpha a
learned scalar of each block. Without activations it is eq. 2, a polynomial of degree 2 in y_n.

Eq. 3 and Algorithm 1 differ: the algorithm has no alpha, ends f with phi and the block without,
and projects x on the shortcut path too. The block follows eq. 3 and Figure 2, so that without its
second-order term it is the block it is compared with; the projections of x and of the product are
the algorithm's. At a stage change the product takes the shortcut's x, which has f's shape.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from trainers.models.newton_resnet.options import NewtonOptions, Normalisation
from trainers.models.resnet.network import (
    BatchNorm,
    ResidualBlock,
    ResidualNetwork,
    activation_layer,
)
from trainers.models.resnet.options import Activation

_HALF = (torch.float16, torch.bfloat16)


def normalisation(
    channels: int, projections: int, kind: Normalisation, activation: Activation
) -> nn.Sequential:
    """N_1 or N_2: (N, channels, H, W) -> the same shape."""
    layers = nn.Sequential()
    for _ in range(projections):
        layers.append(nn.Conv2d(channels, channels, 1, bias=False))
        if kind == "batch":
            layers.append(BatchNorm(channels))
        layers.append(activation_layer(activation))
    if projections == 0 and kind == "batch":
        layers.append(BatchNorm(channels))
    return layers


class NewtonBlock(ResidualBlock):
    """One step of eq. 3; shapes as those of ResidualBlock."""

    def __init__(self, inputs: int, outputs: int, options: NewtonOptions) -> None:
        super().__init__(inputs, outputs, options.activation)
        assert options.x_proj is not None
        assert options.norm_1 is not None
        phi_2 = options.projection_activation
        self.normalisation1 = normalisation(outputs, options.x_proj, options.norm_1, phi_2)
        self.normalisation2 = normalisation(outputs, options.lin_proj, options.norm_2, phi_2)
        self.alpha = nn.Parameter(torch.tensor(options.initial_alpha))
        self.tanh = options.tanh

    def learned_values(self) -> dict[str, Tensor]:
        """alpha, the weight of the second-order term; ()."""
        return {"alpha": self.alpha}

    def second_order(self, shortcut: Tensor, slope: Tensor) -> Tensor:
        """N_2(N_1(x) * f), from x and f, each (N, outputs, H, W).

        "We use a tanh as a normalization for the second order term" in half precision (section
        4.4). It acts on the product, since this is what overflows, and before N_2, whose
        convolutions and statistics would carry an infinity on.
        """
        product = self.normalisation1(shortcut) * slope
        if self.tanh == "always" or (self.tanh == "half" and product.dtype in _HALF):
            product = product.tanh()
        term: Tensor = self.normalisation2(product)
        return term

    @override
    def forward(self, state: Tensor) -> Tensor:
        shortcut, slope = self.shortcut(state), self.function(state)
        first, second = shortcut + slope, self.second_order(shortcut, slope)
        # At least float32, since bf16 would round alpha: what trains is to be what is stored.
        wide = torch.promote_types(first.dtype, torch.float32)
        new: Tensor = self.activation(first.to(wide) + self.alpha * second.to(wide))
        return new.to(first.dtype)


class NewtonNetwork(ResidualNetwork):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H and W."""

    def make_block(self, inputs: int, outputs: int, options: NewtonOptions) -> NewtonBlock:
        """A block between states of these channels."""
        return NewtonBlock(inputs, outputs, options)
