"""Backward passes without stored activations (Gomez et al. 2017, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Block(Protocol):
    """What a block is to be: y_1 = x_1 + f(x_2), y_2 = x_2 + g(y_1) if it is invertible.

    f, g and the block take `again=True` where a batch passes for the second time: normalisation
    uses the statistics of the batch as at the first time, and leaves running ones as they are.
    """

    invertible: bool
    f: nn.Module
    g: nn.Module

    def __call__(self, x1: Tensor, x2: Tensor, again: bool = False) -> tuple[Tensor, Tensor]:
        """Both streams after the block; `again` if they were computed before."""
        ...


def recomputed(blocks: Iterable[nn.Module], x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    """The streams that leave the blocks of one stage; for a backward pass only these are kept.

    If the first block is not invertible the streams that enter are kept as well, which the stage
    before keeps too. In the backward pass each block's input is computed from its output, in the
    precision of the forward pass, and its gradients by ordinary differentiation of f and g.
    Between both passes the modules stay in the mode, training or evaluation, that they are in.

    Args:
        blocks: see Block; only the first may be not invertible.
        x1, x2: (N, C, H, W), float32 or wider.

    Raises:
        RuntimeError: in the backward pass, if mode or weights have changed, or if a gradient of
            the gradient is asked for.
    """
    modules = tuple(blocks)
    parameters = [p for block in modules for p in block.parameters() if p.requires_grad]
    y1, y2 = _Recomputed.apply(modules, x1, x2, *parameters)
    return y1, y2


class _Precision:
    """The autocast that is in force where this is made, to be entered again."""

    def __init__(self, device_type: str) -> None:
        self.device_type = device_type
        self.enabled = torch.is_autocast_enabled(device_type)
        self.dtype = torch.get_autocast_dtype(device_type)

    def again(self) -> torch.autocast:
        # Without the cache of casted weights: it would hand those made without gradients to
        # passes that need them.
        return torch.autocast(
            self.device_type, dtype=self.dtype, enabled=self.enabled, cache_enabled=False
        )


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, modules: tuple[nn.Module, ...], x1: Tensor, x2: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        blocks = cast(Sequence[Block], modules)
        ctx.modules = modules
        ctx.modes = _modes(modules)
        ctx.precision = _Precision(x1.device.type)
        entering = () if blocks[0].invertible else (x1, x2)
        with ctx.precision.again():
            for block in blocks:
                x1, x2 = block(x1, x2)
        ctx.entering = len(entering)
        ctx.parameters = parameters
        # Parameters, so that torch notices if they change before the backward pass.
        ctx.save_for_backward(x1, x2, *entering, *parameters)
        return x1, x2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d1: Tensor, d2: Tensor) -> tuple[Any, ...]:
        if _modes(ctx.modules) != ctx.modes:
            raise RuntimeError("a block's mode has changed between forward and backward pass")
        y1, y2, *rest = ctx.saved_tensors
        entering = rest[: ctx.entering]
        gradients: dict[int, Tensor] = {}
        through = partial(_through, precision=ctx.precision, gradients=gradients)
        for module in reversed(ctx.modules):
            block = cast(Block, module)
            if not block.invertible:
                _, (d1, d2) = through(module, entering, [d1, d2])
                continue
            (of_y1,), (d_y1,) = through(block.g, [y1], [d2])
            y2, d1 = y2 - of_y1, d1 + d_y1
            (of_y2,), (d_y2,) = through(block.f, [y2], [d1])
            y1, d2 = y1 - of_y2, d2 + d_y2
        return None, d1, d2, *(gradients.get(id(parameter)) for parameter in ctx.parameters)


def _modes(modules: Iterable[nn.Module]) -> list[bool]:
    return [part.training for module in modules for part in module.modules()]


def _through(
    module: nn.Module,
    entering: Sequence[Tensor],
    d_leaving: Sequence[Tensor],
    *,
    precision: _Precision,
    gradients: dict[int, Tensor],
) -> tuple[list[Tensor], Sequence[Tensor]]:
    """What leaves a module, and the gradients of what enters it, from those of what leaves.

    The gradients of the module's parameters are added to `gradients`, by the parameter's id.
    """
    streams = [stream.detach().requires_grad_() for stream in entering]
    with torch.enable_grad(), precision.again():
        leaving = module(*streams, again=True)
    if isinstance(leaving, Tensor):
        leaving = (leaving,)
    parameters = [p for p in module.parameters() if p.requires_grad]
    found = torch.autograd.grad(
        leaving,
        [*streams, *parameters],
        [d.to(stream.dtype) for d, stream in zip(d_leaving, leaving, strict=True)],
    )
    count = len(streams)
    gradients.update((id(p), d) for p, d in zip(parameters, found[count:], strict=True))
    return [stream.detach() for stream in leaving], found[:count]
