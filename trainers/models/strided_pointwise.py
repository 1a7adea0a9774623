"""1x1 convolutions with a stride, where oneDNN's own write beyond their memory.

On CPUs with AVX2 and without AVX-512, the oneDNN of torch 2.15 computes the gradient for the input
of such a convolution from fewer than 8 channels in a block of 8 (brgconv_strided:avx2): the heap is
corrupted, and the process ends some time later, or trains on with wrong numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

_BLOCK = 8


def replace_strided_pointwise(network: nn.Module, device: torch.device) -> None:
    """Have each such convolution look at the pixels that it needs first, where that matters.

    Weights, their names and what is computed stay as they are, but for rounding.
    """
    if device.type != "cpu" or torch.backends.cpu.get_cpu_capability() != "AVX2":
        return
    for name, module in list(network.named_modules()):
        if type(module) is nn.Conv2d and _is_unsafe(module):
            network.set_submodule(name, _SampledConvolution(module))


def _is_unsafe(convolution: nn.Conv2d) -> bool:
    return (
        convolution.kernel_size == (1, 1)
        and convolution.padding == (0, 0)
        and max(convolution.stride) > 1
        and convolution.in_channels // convolution.groups < _BLOCK
    )


class _SampledConvolution(nn.Conv2d):
    """The same convolution, without a stride, of every n-th pixel."""

    def __init__(self, original: nn.Conv2d) -> None:
        # Made without memory: it takes over the weights.
        super().__init__(
            original.in_channels,
            original.out_channels,
            kernel_size=1,
            stride=original.stride,  # type: ignore[arg-type]
            groups=original.groups,
            bias=original.bias is not None,
            device="meta",
        )
        self.weight, self.bias = original.weight, original.bias
        self.train(original.training)

    @override
    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) to (B, outputs, ceil(H / stride), ceil(W / stride))."""
        rows, columns = self.stride
        sampled = input[:, :, ::rows, ::columns]
        return functional.conv2d(sampled, self.weight, self.bias, groups=self.groups)
