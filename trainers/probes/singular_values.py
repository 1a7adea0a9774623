"""Singular values of a convolution as a linear map, from its Fourier form.

With circular padding a convolution is diagonal in the Fourier basis but for its channels: at each
frequency it is a small matrix, and its singular values are those of all these matrices (Sedghi,
Gupta and Long 2019, Theorem 6). The networks pad with zeros; both maps agree inside the image and
differ at its edge, which hardly changes the largest singular value. The smallest, and with it the
condition number, has little to do with that of zero padding (docs/probes.md).

Under stride s an output frequency takes in the s^2 input frequencies that are one after every
s-th pixel is kept, so that its matrix has those side by side, over s. A side that s does not
divide is taken as rounded up, to as many pixels as the output has times s. Groups are blocks of a
block-diagonal map.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

_ELEMENTS_AT_ONCE = 1 << 21
"""Of complex128 matrices: 32 MB."""


def circular_singular_values(convolution: nn.Conv2d, size: tuple[int, int]) -> Iterator[Tensor]:
    """All singular values, part by part, in float64; sorted in no way.

    Args:
        convolution: with weights of any precision, all of them finite, and any stride, dilation and
            groups. Bias and padding do not matter.
        size: height and width of what enters.
    """
    weight = convolution.weight.detach().cpu().double()
    outputs, inputs, rows, columns = weight.shape
    (down, right), groups = _pair(convolution.stride), convolution.groups
    height, width = -(-size[0] // down), -(-size[1] // right)
    kernel = weight.reshape(groups, outputs // groups, inputs, rows, columns)
    if (rows, columns) == (1, 1):
        # The same matrix at all frequencies; those that share an output add nothing but zeros.
        values = torch.linalg.svdvals(kernel[..., 0, 0])
        zeros = min(outputs // groups, inputs * down * right) - values.shape[-1]
        values = torch.cat([values, values.new_zeros(groups, zeros)], dim=1)
        yield _rounded(values, max(kernel.shape[1:3])).repeat(height * width, 1, 1).flatten()
        return
    kernel = kernel.to(torch.complex128)
    dilation = _pair(convolution.dilation)
    # Output frequency u and alias a stand for the input frequency u + a * height.
    vertical = _waves(height * down, rows, dilation[0]).view(rows, down, height)
    # Real kernels have the same matrix, conjugated, at opposite frequencies: half is enough.
    half = width // 2 + 1
    horizontal = _waves(width * right, columns, dilation[1]).view(columns, right, width)
    horizontal = horizontal[:, :, :half]
    twice = [v for v in range(half) if v not in (0, width - v)]
    elements = weight.numel() // (rows * columns) * down * right * half
    for some in torch.split(vertical, max(1, _ELEMENTS_AT_ONCE // elements), dim=2):
        # (groups, u, v, outputs, inputs x aliases)
        matrices = torch.einsum("goipq,pau,qbv->guvoiab", kernel, some, horizontal).flatten(4)
        values = torch.linalg.svdvals(matrices / (down * right) ** 0.5)
        values = _rounded(values, max(matrices.shape[-2:]))
        yield torch.cat([values.flatten(), values[:, :, twice].flatten()])


def _rounded(values: Tensor, dimension: int) -> Tensor:
    """With zeros for what is no more than the rounding of a matrix so large; largest first."""
    rounding = dimension * torch.finfo(values.dtype).eps
    return torch.where(values > rounding * values[..., :1], values, 0.0)


def _waves(size: int, taps: int, dilation: int) -> Tensor:
    """(taps, size): exp(-2 pi i p u / size) of tap p and frequency u."""
    products = torch.outer(torch.arange(taps) * dilation, torch.arange(size)) % size
    turns = products.double() / size
    return torch.polar(torch.ones_like(turns), -2 * torch.pi * turns)


def _pair(given: int | tuple[int, ...]) -> tuple[int, int]:
    return (given, given) if isinstance(given, int) else (given[0], given[1])
