"""Stochastic depth (Huang et al. 2016): while a network trains, blocks lose their f at random.

With eta_n = 1 of probability p_n, and 0 otherwise, drawn for each block and batch, a step is

    y_{n+1} = alpha_0 y_n + ... + alpha_{d-1} y_{n-d+1} + eta_n beta f(y_n)

so that a dropped block still combines earlier states (Lu et al. 2018, section 3.2). In evaluation
eta_n is p_n (Huang et al., section 3).

A dropped block counts as not there: its norms gather no statistics. Its weights decay and keep
their momentum, as in Huang et al.'s released code, since their gradient is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Kept = bool | Tensor
"""Whether a block has its f for this batch; a bool tensor () inside a compiled graph."""


def survival_probabilities(last: float, blocks: int) -> list[float]:
    """p_l = 1 - l/L (1 - p_L) for blocks l = 1 to L: linear decay (Huang et al., eq. 4).

    Lu et al. print the same rate, but call L the depth and p_L a probability of dropping; as all
    their hyperparameters are to be Huang et al.'s, L is the number of blocks and p_L survival.
    """
    return [1 - number / blocks * (1 - last) for number in range(1, blocks + 1)]


class DroppedBlocks(nn.Module):
    """Draws for each batch of training which blocks keep their f.

    Until the first `begin_epoch` all do.

    Args:
        survival: p_l of each block, in (0, 1].
    """

    kept: Tensor

    def __init__(self, survival: Sequence[float]) -> None:
        super().__init__()
        self._survival = torch.tensor(survival)
        self._generator: torch.Generator | None = None
        everything = torch.ones(len(survival), dtype=torch.bool)
        self.register_buffer("kept", everything, persistent=False)

    def begin_epoch(self, draw: Callable[[str], torch.Generator]) -> None:
        """Draw this epoch's dropped blocks from a generator of their own."""
        self._generator = draw("dropped blocks")

    def begin_batch(self) -> None:
        """Draws what the next pass through a compiled graph keeps."""
        self.kept.copy_(self._draw())

    def forward(self) -> list[Kept]:
        """For each block; drawn now, unless a graph is being compiled, which cannot draw."""
        if torch.compiler.is_compiling():
            return list(self.kept.unbind())
        drawn: list[Kept] = self._draw().tolist()
        return drawn

    def _draw(self) -> Tensor:
        if self._generator is None:
            return torch.ones(len(self._survival), dtype=torch.bool)
        return torch.rand(len(self._survival), generator=self._generator) < self._survival


def training_slope(function: nn.Module, state: Tensor, kept: Kept) -> Tensor | None:
    """f(state); None if it is dropped, which saves its computation.

    A compiled graph has no branches: it computes f all the same, puts zeros in its place, and keeps
    the old statistics of its norms.
    """
    if not isinstance(kept, Tensor):
        return function(state) if kept else None
    # On a copy of the statistics: gradients need those that f saw as it left them.
    statistics = {name: buffer.clone() for name, buffer in function.named_buffers()}
    slope: Tensor = torch.func.functional_call(function, statistics, (state,))
    with torch.no_grad():
        for name, buffer in function.named_buffers():
            buffer.copy_(torch.where(kept, statistics[name], buffer))
    return torch.where(kept, slope, torch.zeros_like(slope))


def absent_slope(function: nn.Module, state: Tensor) -> Tensor:
    """Zeros like `state`, for a dropped f; the gradient of its parameters is zero, and not None."""
    zeros: Tensor = _Absent.apply(state, *function.parameters())
    return zeros


class _Absent(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, state: Tensor, *parameters: Tensor) -> Tensor:
        ctx.save_for_backward(*parameters)
        return torch.zeros_like(state)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return None, *(torch.zeros_like(parameter) for parameter in ctx.saved_tensors)
