"""The plan of the wide residual body, block by block, without a tensor library.

Four stages of 64, 128, 256 and 512 channels, with basic or bottleneck blocks (He et al. 2016a,
Table 1). Specs are checked against this plan, and networks are built from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from trainers.errors import ConfigError
from trainers.models.multistep.layout import EXPANSION

Stem = Literal["3x3", "7x7"]
"""What images pass first.

3x3: a convolution of stride 1 and no pooling, for images of about 32 pixels a side.
7x7: a convolution of stride 2 and a 3x3 maximum of stride 2, for images of about 224 pixels a side
    (He et al. 2016a, Table 1).
"""

Body = Literal["imagenet"]
"""The network that a model's blocks make, where it has another than that for small images.

imagenet: He et al. 2016a, Table 1, for images of about 224 pixels a side: a 7x7 convolution of
    stride 2, BN, ReLU and a 3x3 maximum of stride 2; then the stages of RESNET_DEPTHS.
"""

IMAGENET_WIDTH = 64
"""Channels of the first stage (He et al. 2016a, Table 1)."""


@dataclass(frozen=True)
class Division:
    """How residual blocks are divided over the stages.

    Attributes:
        blocks: of each stage.
        bottleneck: three convolutions a block, 1x1, 3x3 and 1x1; otherwise two of 3x3.
    """

    blocks: tuple[int, ...]
    bottleneck: bool

    @property
    def total(self) -> int:
        """The number of blocks in all stages."""
        return sum(self.blocks)


RESNET_DEPTHS: Mapping[int, Division] = {
    18: Division((2, 2, 2, 2), bottleneck=False),
    34: Division((3, 4, 6, 3), bottleneck=False),
    50: Division((3, 4, 6, 3), bottleneck=True),
    101: Division((3, 4, 23, 3), bottleneck=True),
    152: Division((3, 8, 36, 3), bottleneck=True),
}
"""He et al. 2016a, Table 1."""


def division_of(depth: int, depths: Mapping[int, Division]) -> Division:
    """Raises ValueError, which names the nearest depths, if there is no network of this one."""
    if depth in depths:
        return depths[depth]
    nearest = sorted(sorted(depths, key=lambda known: abs(known - depth))[:2])
    raise ConfigError(
        "depth",
        f"depth {depth} is none of {', '.join(map(str, sorted(depths)))}; the nearest are "
        f"{nearest[0]} and {nearest[1]}",
    )


@dataclass(frozen=True)
class Convolution:
    """One convolution without bias, padded to keep the size but for its stride."""

    inputs: int
    outputs: int
    kernel: int
    stride: int


@dataclass(frozen=True)
class WideBlock:
    """One residual block.

    Attributes:
        inputs, outputs: channels of the state that enters and of the one that leaves.
        inner: channels between a bottleneck block's convolutions.
        stride: 2 at the start of every stage but the first.
    """

    inputs: int
    inner: int
    outputs: int
    stride: int
    bottleneck: bool

    @property
    def changes_shape(self) -> bool:
        """A state cannot be added to f of it without passing a convolution."""
        return self.stride != 1 or self.inputs != self.outputs

    @cached_property
    def convolutions(self) -> tuple[Convolution, ...]:
        """Of f, in order. A bottleneck block strides in its 3x3 convolution."""
        if self.bottleneck:
            return (
                Convolution(self.inputs, self.inner, 1, 1),
                Convolution(self.inner, self.inner, 3, self.stride),
                Convolution(self.inner, self.outputs, 1, 1),
            )
        return (
            Convolution(self.inputs, self.outputs, 3, self.stride),
            Convolution(self.outputs, self.outputs, 3, 1),
        )


@lru_cache(maxsize=4096)
def wide_blocks(division: Division, width: int) -> tuple[WideBlock, ...]:
    """The residual blocks in forward order; the first stage is of `width` channels."""
    blocks = []
    inputs = width
    for stage, count in enumerate(division.blocks):
        inner = width * 2**stage
        outputs = EXPANSION * inner if division.bottleneck else inner
        for within in range(count):
            stride = 2 if stage > 0 and within == 0 else 1
            blocks.append(WideBlock(inputs, inner, outputs, stride, division.bottleneck))
            inputs = outputs
    return tuple(blocks)
