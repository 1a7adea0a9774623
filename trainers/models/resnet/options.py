"""The residual network of basic blocks as a spec sees it: its options and stages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from trainers.errors import ConfigError
from trainers.methods.fractions import Whole
from trainers.models.architecture import Architecture, ModelOptions, written_out
from trainers.models.depths import count_of

Activation = Literal["relu", "none"]

MOST_STAGES = 8

_STAGES = 4
_NAMED = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
"""He et al. (2016), Table 1, of basic blocks."""

_Blocks = Annotated[Whole, Field(ge=1)]


class ResNetOptions(ModelOptions):
    """Options of a residual network of basic blocks.

    Attributes:
        depth: 2 sum(blocks) + 2 layers: two convolutions a block, stem and classifier. It follows
            from `blocks` where these are given and it is not.
        blocks: residual blocks of each stage, from the input on; None means those of ResNet-18 and
            ResNet-34 for these depths, and n in each of four stages for depth 8n + 2.
        width: channels of the first stage; each further stage has twice as many as the one before.
        activation: "none" removes every activation of the network.
    """

    blocks: Annotated[tuple[_Blocks, ...], Field(min_length=1, max_length=MOST_STAGES)] | None = (
        None
    )
    width: Whole = Field(default=64, ge=1, le=4096)
    activation: Activation = "relu"

    @model_validator(mode="before")
    @classmethod
    def _depth_of_the_blocks(cls, data: Any) -> Any:
        if isinstance(data, dict) and "depth" not in data:
            blocks = data.get("blocks")
            if isinstance(blocks, list | tuple) and all(type(n) is int for n in blocks):
                return {**data, "depth": depth_of(tuple(blocks))}
        return data

    @model_validator(mode="after")
    def _depth_and_blocks_agree(self) -> ResNetOptions:
        blocks_of(self)
        return self


def depth_of(blocks: tuple[int, ...]) -> int:
    """Layers of a network of basic blocks, as in ResNet-18."""
    return 2 * sum(blocks) + 2


def blocks_of(options: ResNetOptions) -> tuple[int, ...]:
    """Blocks of each stage.

    Raises:
        ValueError: they make another depth than is asked for, or the depth has no default; names
            the nearest depths that would do.
    """
    depth, blocks = options.depth, options.blocks
    if blocks is not None:
        if depth_of(blocks) != depth:
            raise ConfigError(
                "depth",
                f"depth {depth} is not that of blocks {list(blocks)}, which is {depth_of(blocks)}: "
                "write that, or leave depth out",
            )
        return blocks
    if depth in _NAMED:
        return _NAMED[depth]
    by_hand = "; or say how many blocks each stage has, as in blocks: [2, 2, 1, 1]"
    return (count_of(depth, 2 * _STAGES, otherwise=by_hand),) * _STAGES


def channels_of(options: ResNetOptions) -> list[tuple[int, int]]:
    """Channels of the state that enters each block, and of the one that leaves it.

    They differ where a block changes the stage, with stride 2 and a projected shortcut.
    """
    of_stages = enumerate(blocks_of(options))
    outputs = [options.width * 2**stage for stage, blocks in of_stages for _ in range(blocks)]
    return list(zip([options.width, *outputs], outputs, strict=False))


RESNET = Architecture(
    options=ResNetOptions,
    complete=written_out("blocks", blocks_of),
    builder="trainers.models.resnet.network:ResidualNetwork",
)
