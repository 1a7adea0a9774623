"""The residual network as a spec sees it: its options and stages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from trainers.errors import ConfigError
from trainers.methods.fractions import Whole
from trainers.models.architecture import Architecture, ModelOptions, written_out
from trainers.models.depths import count_of
from trainers.models.wide.layout import (
    IMAGENET_WIDTH,
    RESNET_DEPTHS,
    Body,
    Division,
    WideBlock,
    division_of,
    wide_blocks,
)

Activation = Literal["relu", "none"]

MOST_STAGES = 8

_STAGES = 4
_NAMED = {
    depth: division.blocks for depth, division in RESNET_DEPTHS.items() if not division.bottleneck
}

_Blocks = Annotated[Whole, Field(ge=1)]


class ResNetOptions(ModelOptions):
    """Options of a residual network.

    Attributes:
        depth: 2 sum(blocks) + 2 layers: two convolutions a block, stem and classifier. It follows
            from `blocks` where these are given and it is not. With body "imagenet" 18 or 34 (basic
            blocks), 50, 101 or 152 (bottleneck blocks).
        blocks: residual blocks of each stage, from the input on; None means those of ResNet-18 and
            ResNet-34 for these depths, and n in each of four stages for depth 8n + 2.
        width: channels of the first stage; each further stage has twice as many as the one before.
        activation: "none" removes every activation of the network; the maximum in the stem of body
            "imagenet" stays.
        body: None for a 3x3 stem and basic blocks, for images of about 32 pixels a side; otherwise
            see Body.
    """

    blocks: Annotated[tuple[_Blocks, ...], Field(min_length=1, max_length=MOST_STAGES)] | None = (
        None
    )
    width: Whole = Field(default=IMAGENET_WIDTH, ge=1, le=4096)
    activation: Activation = "relu"
    body: Body | None = None

    @model_validator(mode="before")
    @classmethod
    def _depth_of_the_blocks(cls, data: Any) -> Any:
        # Stages do not say which blocks they have: those of ResNet-34 and ResNet-50 are alike.
        if isinstance(data, dict) and "depth" not in data and data.get("body") is None:
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
    if options.body == "imagenet":
        of_depth = division_of(depth, RESNET_DEPTHS).blocks
        if blocks is not None and blocks != of_depth:
            raise ConfigError(
                "blocks",
                f"blocks {list(blocks)} cannot be had with body imagenet, where depth {depth} "
                f"has {list(of_depth)}: leave blocks out",
            )
        return of_depth
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


def has_bottlenecks(options: ResNetOptions) -> bool:
    """Whether blocks have three convolutions, 1x1, 3x3 and 1x1; otherwise two of 3x3."""
    return options.body == "imagenet" and RESNET_DEPTHS[options.depth].bottleneck


def layout_of(options: ResNetOptions) -> tuple[WideBlock, ...]:
    """The residual blocks in forward order."""
    return wide_blocks(Division(blocks_of(options), has_bottlenecks(options)), options.width)


RESNET = Architecture(
    options=ResNetOptions,
    complete=written_out("blocks", blocks_of),
    builder="trainers.models.resnet.network:ResidualNetwork",
)
