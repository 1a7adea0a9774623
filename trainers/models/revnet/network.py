"""RevNet: residual blocks whose inputs follow from their outputs (Gomez et al. 2017, section 3).

    y_1 = x_1 + F(x_2),  y_2 = x_2 + G(y_1)
    x_2 = y_2 - G(y_1),  x_1 = y_1 - F(x_2)

Lu et al. (2018, section 2.1) read it as Euler steps of the system X' = f(Y), Y' = g(X). F and G
are BN-ReLU-3x3conv-BN-ReLU-3x3conv. What the paper leaves open is as in its released code: the stem
is 3x3conv-BN-ReLU, its channels are split in half, and where the stage changes the streams pass
average pooling and are padded with zero channels.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from typing_extensions import override

from trainers.models.network import NormedNetwork
from trainers.models.revnet.options import Coupling, RevNetOptions, layout_of, widths_of
from trainers.models.revnet.reversible import recomputed


def _normed(norm: nn.BatchNorm2d, stream: Tensor, again: bool) -> Tensor:
    """`norm`, by the batch's statistics as ever, but if `again` without a note of them."""
    if again and norm.training:
        return functional.batch_norm(
            stream, None, None, norm.weight, norm.bias, training=True, eps=norm.eps
        )
    normed: Tensor = norm(stream)
    return normed


class StreamFunction(nn.Module):
    """F or G: (N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, *, activated: bool) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs) if activated else None
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)

    def forward(self, stream: Tensor, again: bool = False) -> Tensor:
        """`again`: the batch has passed before, and running statistics know of it."""
        if self.norm1 is not None:
            stream = functional.relu(_normed(self.norm1, stream, again))
        inner = functional.relu(_normed(self.norm2, self.conv1(stream), again))
        out: Tensor = self.conv2(inner)
        return out


class CoupledBlock(nn.Module):
    """Two streams (N, inputs, H, W) -> two streams (N, outputs, H/stride, W/stride)."""

    def __init__(self, block: Coupling) -> None:
        super().__init__()
        stride = 2 if block.changes_stage else 1
        self.invertible = not block.changes_stage
        self.padding = block.outputs - block.inputs
        self.f = StreamFunction(block.inputs, block.outputs, stride, activated=block.activated)
        self.g = StreamFunction(block.outputs, block.outputs, activated=True)

    def _carry(self, stream: Tensor) -> Tensor:
        if self.invertible:
            return stream
        # Rounded up at an odd edge, as a convolution of stride 2 does.
        smaller = functional.avg_pool2d(stream, 2, ceil_mode=True)
        before = self.padding // 2
        return functional.pad(smaller, (0, 0, 0, 0, before, self.padding - before))

    def forward(self, x1: Tensor, x2: Tensor, again: bool = False) -> tuple[Tensor, Tensor]:
        """`again`: see StreamFunction."""
        y1 = self._carry(x1) + self.f(x2, again)
        y2 = self._carry(x2) + self.g(y1, again)
        return y1, y2


class RevNet(NormedNetwork):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H, W >= 4.

    The streams are float32 under autocast too, only F and G are computed in bf16: in bf16 sums,
    inverting a block would lose the low bits of its input, and errors would grow from block to
    block. As it is, a stream comes back with the error of a few float32 sums, except where that
    makes a value inside F or G round to the other side in bf16.
    """

    @override
    def make(self, options: RevNetOptions, _scheme: None, channels: int, _: Generator) -> int:
        self.recompute = options.recompute
        widths = widths_of(options)
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        stages = layout_of(options)
        self.blocks = nn.ModuleList(CoupledBlock(block) for stage in stages for block in stage)
        self.stage_length = len(stages[0])
        self.norm = nn.BatchNorm2d(widths[-1])
        return widths[-1]

    def _streams(self, images: Tensor) -> tuple[Tensor, Tensor]:
        state = functional.relu(self.stem_norm(self.stem(images)))
        x1, x2 = state.to(torch.promote_types(state.dtype, torch.float32)).chunk(2, dim=1)
        return x1, x2

    @override
    def forward(self, images: Tensor) -> Tensor:
        x1, x2 = self._streams(images)
        # A compiler chooses for itself what it keeps, and cannot follow a backward pass of ours.
        recompute = self.recompute and torch.is_grad_enabled() and not torch.compiler.is_compiling()
        for start in range(0, len(self.blocks), self.stage_length):
            stage = self.blocks[start : start + self.stage_length]
            if recompute:
                x1, x2 = recomputed(stage, x1, x2)
            else:
                for block in stage:
                    x1, x2 = block(x1, x2)
        logits: Tensor = self.classifier(self.pooled(torch.cat((x1, x2), dim=1)))
        return logits

    def states(self, images: Tensor) -> Iterator[Tensor]:
        """Both streams as one tensor (N, width of the stage, H, W), from stem and each block.

        Each is kept for a backward pass, whether activations are recomputed or not.
        """
        x1, x2 = self._streams(images)
        yield torch.cat((x1, x2), dim=1)
        for block in self.blocks:
            x1, x2 = block(x1, x2)
            yield torch.cat((x1, x2), dim=1)
