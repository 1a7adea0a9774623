"""Batch normalisation of states that may shrink to one value a channel."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that takes one value a channel too.

    Four stages make one pixel of 8x8, and those of a 7x7 stem one pixel of 32x32, and the last
    batch of an epoch may be one image: a single value has no variance, so that it is normalised by
    the running statistics instead.

    Attributes:
        alone: whether its batch is all that is normalised together. Where several processes do so,
            they decide together, since others may have more.
    """

    alone = True

    @override
    def forward(self, state: Tensor) -> Tensor:
        if self.training and self.alone and state.numel() == self.num_features:
            return functional.batch_norm(
                state, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(state)
