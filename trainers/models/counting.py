"""What layers hold and cost, counted without a tensor library, so that planning stays quick.

A test holds each architecture's count against the network that is built.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Trainable parameters, and multiply-adds of one image's forward pass."""

    parameters: int = 0
    multiply_adds: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds)

    def __mul__(self, times: int) -> Cost:
        return Cost(self.parameters * times, self.multiply_adds * times)


def convolution(
    inputs: int, outputs: int, size: int, *, kernel: int = 3, groups: int = 1, bias: bool = False
) -> Cost:
    """A 2d convolution whose output has `size` x `size` pixels."""
    weights = kernel**2 * (inputs // groups) * outputs
    return Cost(weights + (outputs if bias else 0), weights * size**2)


def norm(channels: int) -> Cost:
    """Scale and shift of a normalisation; its arithmetic is not counted, as is usual."""
    return Cost(2 * channels)


def linear(inputs: int, outputs: int) -> Cost:
    """A linear layer with bias."""
    return Cost(inputs * outputs + outputs, inputs * outputs)


def halved(size: int) -> int:
    """Pixels a side after a convolution of stride 2 that is padded to keep the size otherwise."""
    return (size + 1) // 2
