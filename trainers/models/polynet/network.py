"""PolyNet: residual blocks with a second-order term (Zhang et al. 2017, section 3.1).

    y_{n+1} = (I + F + F^2) y_n = y_n + F(y_n) + F(F(y_n))

Lu et al. (2018, section 2.1) read it as a step of backward Euler, y_{n+1} = (I - F)^{-1} y_n,
whose Neumann series ends after the second term. PolyNet itself has inception modules for ImageNet;
here F is the residual function of the CIFAR networks, BN-ReLU-3x3conv-BN-ReLU-3x3conv, in their
body of three stages. The blocks that change the stage are plain residual steps, as PolyNet's
reduction modules are no polynomials either: F maps between different spaces there.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from typing_extensions import override

from trainers.models.multistep.network import ResidualFunction, normed
from trainers.models.network import NormedNetwork
from trainers.models.polynet.options import PolyNetOptions, PolynomialKind, layout_of


class _OwnStatistics(nn.Module):
    """Running statistics of a norm's second use, which scales and shifts as the first does."""

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, state: Tensor, norm: nn.BatchNorm2d) -> Tensor:
        return normed(state, norm, self.mean, self.variance)


class SecondApplication(nn.Module):
    """F once more: all weights are F's, and only the running statistics are its own.

    F(y) is distributed otherwise than y, so statistics of both together would fit neither when
    the network is evaluated. PolyNet's released model gives each application norms of its own;
    here scale and shift are shared too, so that F is one function as in both papers' formula.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.statistics1 = _OwnStatistics(width)
        self.statistics2 = _OwnStatistics(width)

    @override
    def forward(self, function: ResidualFunction, state: Tensor) -> Tensor:
        inner = function.conv1(functional.relu(self.statistics1(state, function.norm1)))
        out: Tensor = function.conv2(functional.relu(self.statistics2(inner, function.norm2)))
        return out


class PolynomialBlock(nn.Module):
    """(N, width, H, W) -> the same shape, by the polynomial of `kind`."""

    def __init__(self, width: int, kind: PolynomialKind) -> None:
        super().__init__()
        self.kind = kind
        self.function = ResidualFunction(width, width, 1)
        self.again = SecondApplication(width) if kind == "poly-2" else None
        self.other = None if kind == "poly-2" else ResidualFunction(width, width, 1)

    @override
    def forward(self, state: Tensor) -> Tensor:
        first: Tensor = self.function(state)
        if self.again is not None:
            second: Tensor = self.again(self.function, first)
        else:
            assert self.other is not None
            second = self.other(first if self.kind == "mpoly-2" else state)
        return state + first + second


class StageChange(nn.Module):
    """A plain residual step of stride 2: (N, inputs, H, W) -> (N, outputs, H/2, W/2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.function = ResidualFunction(inputs, outputs, 2)
        self.projection = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)

    @override
    def forward(self, state: Tensor) -> Tensor:
        new: Tensor = self.projection(state) + self.function(state)
        return new


class PolyNet(NormedNetwork):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H, W >= 4."""

    @override
    def make(self, options: PolyNetOptions, _scheme: None, channels: int, _: Generator) -> int:
        layout = layout_of(options)
        self.stem = nn.Conv2d(channels, options.width, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList(
            StageChange(block.inputs, block.outputs)
            if block.changes_stage
            else PolynomialBlock(block.outputs, options.block)
            for block in layout
        )
        features = layout[-1].outputs
        self.norm = nn.BatchNorm2d(features)
        return features
