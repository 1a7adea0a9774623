"""Layers of the wide residual body: its stem, and f of one block with its norms before or after."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from trainers.models.batch_norm import BatchNorm
from trainers.models.wide.layout import Convolution, Stem, WideBlock


def projection(block: WideBlock) -> nn.Conv2d:
    """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
    return nn.Conv2d(block.inputs, block.outputs, 1, stride=block.stride, bias=False)


def convolution(conv: Convolution) -> nn.Conv2d:
    """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
    return nn.Conv2d(
        conv.inputs,
        conv.outputs,
        conv.kernel,
        stride=conv.stride,
        padding=conv.kernel // 2,
        bias=False,
    )


def _norm(channels: int, batch_norm: bool) -> nn.Module:
    return BatchNorm(channels) if batch_norm else nn.Identity()


class ActivatedNorm(nn.Module):
    """BN-ReLU, or ReLU alone: (N, C, H, W) -> the same."""

    def __init__(self, channels: int, *, batch_norm: bool = True) -> None:
        super().__init__()
        self.norm = _norm(channels, batch_norm)

    @override
    def forward(self, state: Tensor) -> Tensor:
        return functional.relu(self.norm(state))


class WideStem(nn.Module):
    """Images (N, channels, H, W) -> (N, width, H, W), or a quarter of H and W (see Stem).

    Args:
        activation: what comes between the convolution and the pooling, if anything.
    """

    def __init__(
        self, stem: Stem, channels: int, width: int, activation: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.pools = stem == "7x7"
        kernel, stride = (7, 2) if self.pools else (3, 1)
        self.conv = nn.Conv2d(
            channels, width, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.activation = activation

    @override
    def forward(self, images: Tensor) -> Tensor:
        state: Tensor = self.conv(images)
        if self.activation is not None:
            state = self.activation(state)
        if self.pools:
            state = functional.max_pool2d(state, 3, stride=2, padding=1)
        return state


def imagenet_stem(channels: int, width: int, *, activation: nn.Module | None = None) -> WideStem:
    """7x7 convolution, BN, ReLU, 3x3 maximum: (N, channels, H, W) -> (N, width, H/4, W/4).

    Args:
        activation: in place of the ReLU.
    """
    phi = nn.ReLU() if activation is None else activation
    return WideStem("7x7", channels, width, nn.Sequential(BatchNorm(width), phi))


class PreActivationFunction(nn.Module):
    """f: each convolution after its BN-ReLU (He et al. 2016b, Figure 4e).

    In two parts, since a projection at the start of a stage shares the first BN-ReLU: `activate`,
    (N, inputs, H, W) -> the same; then `forward`, to (N, outputs, H/stride, W/stride).
    """

    def __init__(self, block: WideBlock, *, batch_norm: bool = True) -> None:
        super().__init__()
        self.activations = nn.ModuleList(
            ActivatedNorm(conv.inputs, batch_norm=batch_norm) for conv in block.convolutions
        )
        self.convolutions = nn.ModuleList(convolution(conv) for conv in block.convolutions)

    def activate(self, state: Tensor) -> Tensor:
        """The first activation, which the projection shares."""
        activated: Tensor = self.activations[0](state)
        return activated

    @override
    def forward(self, activated: Tensor) -> Tensor:
        out: Tensor = self.convolutions[0](activated)
        for activation, conv in zip(self.activations[1:], self.convolutions[1:], strict=True):
            out = conv(activation(out))
        return out


class PostActivationFunction(nn.Module):
    """f: each convolution before its BN-ReLU, the last one's too (He et al. 2016b, Figure 4c).

    (N, inputs, H, W) -> (N, outputs, H/stride, W/stride).
    """

    def __init__(self, block: WideBlock, *, batch_norm: bool = True) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(convolution(conv) for conv in block.convolutions)
        self.activations = nn.ModuleList(
            ActivatedNorm(conv.outputs, batch_norm=batch_norm) for conv in block.convolutions
        )

    @override
    def forward(self, state: Tensor) -> Tensor:
        for conv, activation in zip(self.convolutions, self.activations, strict=True):
            state = activation(conv(state))
        return state
