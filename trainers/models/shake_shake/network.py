"""Residual networks of two branches with Shake-Shake regularisation (Gastaldi 2017).

    y_{n+1} = y_n + eta f_1(y_n) + (1 - eta) f_2(y_n),   f = ReLU-3x3conv-BN-ReLU-3x3conv-BN

In training eta ~ U(0, 1) in the forward pass and another such number in the backward pass; in
evaluation it is 1/2. Lu et al. (2018, section 3.1) read it as a weak approximation of a stochastic
dynamic system.

What the paper leaves open is done as in its released code: the stem is a 3x3 convolution of 16
channels and BN, a projection begins with ReLU and ends with BN, ReLU precedes the pooling. The
first stage projects too where it is not 16 wide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from typing_extensions import override

from trainers.models.multistep.layout import Block
from trainers.models.network import StandardNetwork
from trainers.models.shake_shake.options import STEM_CHANNELS, ShakeShakeOptions, layout_of


class _Shake(torch.autograd.Function):
    """alpha a + (1 - alpha) b, whose gradients are those of beta a + (1 - beta) b.

    alpha and beta are float32 of a shape that broadcasts; bf16 would round them.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        ctx.save_for_backward(beta)
        return (alpha * a + (1 - alpha) * b).to(a.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        (beta,) = ctx.saved_tensors
        first, second = beta * gradient, (1 - beta) * gradient
        return first.to(gradient.dtype), second.to(gradient.dtype), None, None


def shake(a: Tensor, b: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """alpha a + (1 - alpha) b in the forward pass, and beta for alpha in the backward pass.

    Args:
        a, b: (N, C, H, W).
        alpha, beta: (N, 1, 1, 1), or (1, 1, 1, 1) for one number for the batch.
    """
    mixed: Tensor = _Shake.apply(a, b, alpha, beta)
    return mixed


class Shakes(nn.Module):
    """Draws alpha and beta of each block for each batch of training.

    Until the first `begin_epoch` all are 1/2.
    """

    mixing: Tensor

    def __init__(self, options: ShakeShakeOptions, blocks: int) -> None:
        super().__init__()
        self._options = options
        self._blocks = blocks
        self._forward: Generator | None = None
        self._backward: Generator | None = None
        self._part: tuple[int, int] | None = None
        self.register_buffer("mixing", torch.full((2, blocks, 1), 0.5), persistent=False)

    def begin_epoch(self, draw: Callable[[str], Generator]) -> None:
        """Draw this epoch's shakes from generators of their own."""
        # One each, so that no mode of one pass changes the draws of the other.
        self._forward = draw("forward shakes")
        self._backward = draw("backward shakes")

    def begin_part(self, whole: int, before: int) -> None:
        """The next pass is one process's part of a pass of `whole` images (see Architecture)."""
        self._part = whole, before

    def begin_batch(self, images: int) -> None:
        """Draws for the next pass of `images` images."""
        whole, before = (images, 0) if self._part is None else self._part
        of_each_image = self._options.level == "image"
        count = whole if of_each_image else 1
        alpha = self._draw(self._options.forward, self._forward, count)
        keeps = self._options.backward == "keep"
        beta = alpha if keeps else self._draw(self._options.backward, self._backward, count)
        mixing = torch.stack((alpha, beta)).to(self.mixing.device)
        self.mixing = mixing[..., before : before + images] if of_each_image else mixing
        self._part = None

    def forward(self) -> list[tuple[Tensor, Tensor]]:
        """(alpha, beta) of each block, as `shake` takes them."""
        alphas, betas = self.mixing[..., None, None, None].unbind()
        return list(zip(alphas.unbind(), betas.unbind(), strict=True))

    def _draw(self, mode: str, generator: Generator | None, count: int) -> Tensor:
        """(blocks, count)."""
        if mode == "even" or generator is None:
            return torch.full((self._blocks, count), 0.5)
        return torch.rand((self._blocks, count), generator=generator)


class Branch(nn.Module):
    """f_1 or f_2: (N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(
            block.inputs, block.outputs, 3, stride=block.stride, padding=1, bias=False
        )
        self.norm1 = nn.BatchNorm2d(block.outputs)
        self.conv2 = nn.Conv2d(block.outputs, block.outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(block.outputs)

    @override
    def forward(self, state: Tensor) -> Tensor:
        inner = self.norm1(self.conv1(functional.relu(state)))
        out: Tensor = self.norm2(self.conv2(functional.relu(inner)))
        return out


class Projection(nn.Module):
    """y_n in another width: half of the channels see every stride-th pixel from the first one, the
    others from the one above and to the left of it, which for the first row and column is zero.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.stride = block.stride
        self.straight = nn.Conv2d(block.inputs, block.outputs // 2, 1, bias=False)
        self.shifted = nn.Conv2d(block.inputs, block.outputs // 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(block.outputs)

    @override
    def forward(self, state: Tensor) -> Tensor:
        state = functional.relu(state)
        shifted = functional.pad(state, (1, -1, 1, -1))
        step = self.stride
        halves = (
            self.straight(state[:, :, ::step, ::step]),
            self.shifted(shifted[:, :, ::step, ::step]),
        )
        out: Tensor = self.norm(torch.cat(halves, dim=1))
        return out


class ShakeShakeBlock(nn.Module):
    """y_n + eta f_1(y_n) + (1 - eta) f_2(y_n)."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.branches = nn.ModuleList((Branch(block), Branch(block)))
        self.projection = Projection(block) if block.inputs != block.outputs else nn.Identity()

    def forward(self, state: Tensor, mixing: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride).

        `mixing` are (alpha, beta), see `shake`; None means 1/2 in both passes.
        """
        first, second = (branch(state) for branch in self.branches)
        mixed = (first + second) / 2 if mixing is None else shake(first, second, *mixing)
        new: Tensor = self.projection(state) + mixed
        return new


class ShakeShakeNetwork(StandardNetwork):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H, W >= 4."""

    @override
    def make(self, options: ShakeShakeOptions, _scheme: None, channels: int, _: Generator) -> int:
        layout = layout_of(options)
        self.stem = nn.Conv2d(channels, STEM_CHANNELS, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(STEM_CHANNELS)
        self.blocks = nn.ModuleList(ShakeShakeBlock(block) for block in layout)
        self.shakes = Shakes(options, len(layout))
        return layout[-1].outputs

    @override
    def pooled(self, state: Tensor) -> Tensor:
        return functional.relu(state).mean(dim=(2, 3))

    @override
    def first_state(self, images: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.stem(images))
        return normed

    def begin_epoch(self, draw: Callable[[str], Generator]) -> None:
        """See Architecture."""
        self.shakes.begin_epoch(draw)

    def begin_batch(self, images: int) -> None:
        """See Architecture."""
        self.shakes.begin_batch(images)

    def begin_part(self, whole: int, before: int) -> None:
        """See Architecture."""
        self.shakes.begin_part(whole, before)

    @override
    def for_blocks(self, images: Tensor) -> list[tuple[tuple[Tensor, Tensor] | None]]:
        if not self.training:
            return [(None,)] * len(self.blocks)
        if not torch.compiler.is_compiling():
            self.begin_batch(images.shape[0])
        return [(mixing,) for mixing in self.shakes()]
