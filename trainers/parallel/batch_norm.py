"""Batch normalisation over the batches of all processes together, and over no image at all.

torch.nn.SyncBatchNorm takes the place of layers, and has no kernel for the CPU. Here another
function takes the place of `torch.nn.functional.batch_norm` for the time of a pass. Every layer
goes through it, and every network that normalises without a layer: with statistics of its own, or
for a second time in its backward pass, where no mode of torch is in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from trainers.parallel.group import Group

_of_one_process = functional.batch_norm


@contextmanager
def synchronised(group: Group) -> Iterator[None]:
    """Inside, training normalises by mean and variance over the batches of all processes.

    They, and what a backward pass sums over all images, are combined in float64, in the order of
    ranks: of the same bits in every process, and those of one process with all images but for
    rounding. A process may have no image. A single value a channel, of all processes together, is
    normalised by the running statistics, which it does not change.

    Backward passes belong inside too.
    """
    with _in_place(partial(_synchronised, group)):
        yield


@contextmanager
def of_no_image() -> Iterator[None]:
    """Inside, a batch of no image is normalised to no image, and leaves running statistics be."""
    with _in_place(_of_nothing):
        yield


@contextmanager
def _in_place(batch_norm: Callable[..., Tensor]) -> Iterator[None]:
    functional.batch_norm = batch_norm
    try:
        yield
    finally:
        functional.batch_norm = _of_one_process


def _of_nothing(
    state: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *_: object,
    **__: object,
) -> Tensor:
    # Scale and shift have a gradient all the same: of zeros.
    if weight is not None:
        state = state * _a_channel(weight, state).to(state.dtype)
    return state if bias is None else state + _a_channel(bias, state).to(state.dtype)


def _synchronised(
    group: Group,
    state: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not training:
        return _of_one_process(state, running_mean, running_var, weight, bias, eps=eps)
    normalised: Tensor = _Normalised.apply(
        state, weight, bias, running_mean, running_var, momentum, eps, group
    )
    return normalised


class _Normalised(torch.autograd.Function):
    """x -> w (x - mean) / sqrt(var + eps) + b (Ioffe and Szegedy 2015, Algorithm 1)."""

    @staticmethod
    def forward(
        ctx: Any,
        state: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        momentum: float,
        eps: float,
        group: Group,
    ) -> Tensor:
        wide = torch.promote_types(state.dtype, torch.float32)
        count, mean, variance = _statistics(state.to(wide), group)
        if running_mean is not None and running_var is not None:
            several = count > 1
            mean = torch.where(several, mean, running_mean.double())
            taken = momentum * several.double()
            unbiased = variance * count / (count - 1).clamp(min=1)
            running_mean.lerp_(mean.to(running_mean.dtype), taken.to(running_mean.dtype))
            running_var.lerp_(unbiased.to(running_var.dtype), taken.to(running_var.dtype))
            variance = torch.where(several, variance, running_var.double())
        narrow_mean, narrow_variance = mean.to(wide), variance.to(wide)
        ctx.save_for_backward(state, weight, narrow_mean, narrow_variance, count)
        ctx.group, ctx.eps = group, eps
        ctx.has_bias = bias is not None
        return _of_one_process(state, narrow_mean, narrow_variance, weight, bias, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        state, weight, mean, variance, count = ctx.saved_tensors
        wide = mean.dtype
        gradient, inverse = gradients[0].to(wide), (variance + ctx.eps).rsqrt()
        own = _sums(gradient, state.to(wide), mean, variance, ctx.eps)
        d_weight = None if weight is None else own[1].to(weight.dtype)
        d_bias = own[0] if ctx.has_bias else None
        # Where there is but one value, mean and variance are those that were there before.
        means = ctx.group.sum(own.to(torch.float64, copy=True)) * (count > 1) / count
        # (gradient - means[0] - means[1] (state - mean) inverse) scale, in two passes.
        scale = inverse if weight is None else inverse * weight.to(wide)
        slope = -(means[1] * inverse).to(wide) * scale
        shift = -means[0].to(wide) * scale - slope * mean
        change = torch.addcmul(_a_channel(shift, state), state.to(wide), _a_channel(slope, state))
        d_state = change.addcmul_(gradient, _a_channel(scale, state)).to(state.dtype)
        return d_state, d_weight, d_bias, None, None, None, None, None


def _statistics(state: Tensor, group: Group) -> tuple[Tensor, Tensor, Tensor]:
    """Values a channel, (); their mean and variance, (C,); all float64, of all processes together.

    The means and sums of squares of the processes are combined as Chan et al. (1979) do.
    """
    channels = state.shape[1]
    own = torch.zeros(2 * channels + 1, dtype=torch.float64, device=state.device)
    if state.numel():
        # On a CPU torch.var_mean takes 8 times as long: 12 ms of (128, 16, 28, 28), channels last.
        mean, variance = torch.batch_norm_update_stats(state, None, None, 0.0)
        own[:channels], own[channels:-1] = mean, variance
        own[-1] = state.numel() // channels
    found = group.gather(own)
    means, variances, counts = found[:, :channels], found[:, channels:-1], found[:, -1:]
    count = counts.sum()
    mean = (means * counts).sum(0) / count
    variance = ((variances + (means - mean) ** 2) * counts).sum(0) / count
    return count, mean, variance


def _sums(gradient: Tensor, state: Tensor, mean: Tensor, variance: Tensor, eps: float) -> Tensor:
    """Over all images of one process, (2, C): of the gradient, and of it times what is normalised.

    They are the gradients of shift and scale of a layer that normalises by these.
    """
    if not state.numel():
        return torch.zeros(2, len(mean), dtype=mean.dtype, device=mean.device)
    # The kernel of CUDA, unlike that of a CPU, takes no None: what it gives is of the type of the
    # weight, and of a mean and deviation of the pass that are empty it takes the running ones.
    weight, empty = torch.ones_like(mean), mean.new_empty(0)
    _, scale, shift = torch.ops.aten.native_batch_norm_backward(
        gradient, state, weight, mean, variance, empty, empty, False, eps, [False, True, True]
    )
    return torch.stack((shift, scale))


def _a_channel(values: Tensor, state: Tensor) -> Tensor:
    """(C,) -> (C, 1, ...), as it broadcasts to a state (N, C, ...)."""
    return values.view(-1, *[1] * (state.dim() - 2))
