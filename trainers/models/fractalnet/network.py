"""FractalNet: f_1 = conv, f_{C+1} = (f_C o f_C) join conv (Larsson et al. 2017, eq. 1 and 2).

A conv is 3x3conv-BN-ReLU and a join the mean. Joins that follow each other at once are one join of
all their inputs, as in the paper's Figure 1 and its released code; for two columns there are none
such, and the block is the Runge-Kutta step of order 2 of Lu et al. (2018, section 2.1). Each block
ends with a 2x2 maximum pooling, which comes before the last join as in the released code. The
paper's dropout is left out.

After five blocks an image of 32 x 32 is one pixel. Larger ones are averaged over what is left, and
smaller ones stay at one pixel, so a training batch of images of 16 x 16 or less needs two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from typing_extensions import override

from trainers.models.fractalnet.options import FractalNetOptions, columns_of, widths_of
from trainers.models.network import StandardNetwork

_DRAWN_STEPS = 4096
"""Training steps whose paths are drawn when an epoch begins; a longer epoch repeats them."""


class Convolution(nn.Module):
    """3x3conv-BN-ReLU: (N, inputs, H, W) -> (N, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    @override
    def forward(self, state: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(state)))


def join(paths: Sequence[Tensor], kept: Tensor | None) -> Tensor:
    """The mean of the paths that are kept.

    Args:
        paths: tensors of one shape.
        kept: (number of paths,), 1 for each that counts and 0 for the others, not all 0; None
            for all.
    """
    if kept is None:
        total = paths[0]
        for path in paths[1:]:
            total = total + path
        return total / len(paths)
    weights = kept.unbind()
    total = paths[0] * weights[0]
    for path, weight in zip(paths[1:], weights[1:], strict=True):
        total = total + path * weight
    # By a whole number, which bf16 does not round.
    return total / kept.sum()


def _joins_within(columns: int) -> list[int]:
    """Inputs of each join inside f_columns in order of use, without the last; one is no join."""
    if columns <= 2:
        return []
    half = _joins_within(columns - 1)
    return [*half, columns - 1, *half]


class Fractal(nn.Module):
    """f_C up to its last join: (N, inputs, H, W) -> C tensors (N, outputs, H, W).

    They are the paths that the join is going to merge, those of the deepest column first.

    Args:
        joined: how many joins of the block are used before this part of it.
    """

    def __init__(self, inputs: int, outputs: int, columns: int, joined: int = 0) -> None:
        super().__init__()
        self.conv = Convolution(inputs, outputs)
        self.halves = nn.ModuleList()
        if columns > 1:
            self.join = joined + len(_joins_within(columns - 1))
            after = self.join + (columns > 2)
            self.halves.append(Fractal(inputs, outputs, columns - 1, joined))
            self.halves.append(Fractal(outputs, outputs, columns - 1, after))

    def forward(self, state: Tensor, kept: Sequence[Tensor] | None) -> list[Tensor]:
        """`kept`: of each join of the block (see `join`)."""
        short: Tensor = self.conv(state)
        if not self.halves:
            return [short]
        paths: list[Tensor] = self.halves[0](state, kept)
        if len(paths) == 1:
            half = paths[0]
        else:
            half = join(paths, None if kept is None else kept[self.join])
        return [*self.halves[1](half, kept), short]


class FractalBlock(nn.Module):
    """f_C and its pooling: (N, inputs, H, W) -> (N, outputs, H/2, W/2), rounded up."""

    def __init__(self, inputs: int, outputs: int, columns: int) -> None:
        super().__init__()
        self.fractal = Fractal(inputs, outputs, columns)

    def forward(self, state: Tensor, kept: Sequence[Tensor] | None = None) -> Tensor:
        """`kept`: of each join, the last one at the end; None where nothing is dropped."""
        paths = self.fractal(state, kept)
        pooled = [functional.max_pool2d(path, 2, ceil_mode=True) for path in paths]
        return join(pooled, None if kept is None else kept[-1])


def draw_paths(blocks: int, columns: int, drop: float, steps: int, generator: Generator) -> Tensor:
    """Which inputs each join of a network keeps in each training step (section 3.1).

    Every other step, on average, is local: each join drops each input with probability `drop`,
    and where all would be gone one of them stays, drawn evenly as in the released code. The other
    steps are global: one column, the same in all blocks. A join that the column does not pass
    keeps all of its inputs, which reach nothing.

    Returns:
        (steps, inputs of all joins), 0 or 1, float32: for each block the joins in order of use,
        of each join the deepest column first.
    """
    is_global = torch.rand(steps, generator=generator) < 0.5
    column = torch.randint(columns, (steps,), generator=generator)
    parts = []
    for size in [*_joins_within(columns), columns] * blocks:
        local = torch.rand(steps, size, generator=generator) >= drop
        survivor = torch.randint(size, (steps,), generator=generator)
        local |= ~local.any(1, keepdim=True) & functional.one_hot(survivor, size).bool()
        passed = functional.one_hot(column, columns)[:, :size].bool()
        passed |= ~passed.any(1, keepdim=True)
        parts.append(torch.where(is_global[:, None], passed, local))
    return torch.cat(parts, 1).float()


class FractalNet(StandardNetwork):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H and W.

    With drop-path, what is dropped is computed nonetheless, as in the released code: its gradient
    is zero, its running statistics go on, and all steps are the same graph. Nothing is dropped
    before the first epoch begins, and never in evaluation mode.
    """

    paths: Tensor
    step: Tensor

    @override
    def make(self, options: FractalNetOptions, _scheme: None, channels: int, _: Generator) -> int:
        self.columns = columns_of(options)
        self.drop_path = options.drop_path
        widths = widths_of(options)
        self.stem = nn.Identity()
        self.blocks = nn.ModuleList(
            FractalBlock(inputs, outputs, self.columns)
            for inputs, outputs in zip((channels, *widths), widths, strict=False)
        )
        self.joins = [*_joins_within(self.columns), self.columns]
        if self.drop_path is not None:
            inputs = sum(self.joins) * len(self.blocks)
            self.register_buffer("paths", torch.ones(_DRAWN_STEPS, inputs), persistent=False)
            self.register_buffer("step", torch.zeros(1, dtype=torch.int64), persistent=False)
        return widths[-1]

    @override
    def initialise(self, generator: Generator) -> None:
        """Xavier as the paper says, in the form that Caffe has it: uniform, variance 1/fan-in.

        The classifier's bias starts at zero.
        """
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                bound = (3 / module.weight[0].numel()) ** 0.5
                nn.init.uniform_(module.weight, -bound, bound, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def begin_epoch(self, draw: Callable[[str], Generator]) -> None:
        """Draw the paths of an epoch's steps, if drop-path is on (see Architecture)."""
        if self.drop_path is None:
            return
        generator = draw("drop path")
        drawn = draw_paths(len(self.blocks), self.columns, self.drop_path, _DRAWN_STEPS, generator)
        self.paths.copy_(drawn)
        self.step.zero_()

    @override
    def for_blocks(self, images: Tensor) -> list[tuple[Sequence[Tensor] | None]]:
        """For each block what its joins keep in this step, and on to the next step."""
        if self.drop_path is None or not self.training:
            return [(None,)] * len(self.blocks)
        drawn = self.paths.index_select(0, self.step)[0]
        kept = torch.split(drawn, self.joins * len(self.blocks))
        self.step.add_(1).remainder_(_DRAWN_STEPS)
        each = len(self.joins)
        return [(kept[start : start + each],) for start in range(0, len(kept), each)]
