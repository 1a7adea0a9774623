"""PolyNet as a spec sees it: options, layout and counts, without a tensor library."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from trainers.methods.fractions import Whole
from trainers.models.architecture import Architecture, ModelOptions
from trainers.models.counting import Cost, convolution, halved, linear, norm
from trainers.models.multistep.layout import Block, blocks_per_stage, multistep_layout

PolynomialKind = Literal["poly-2", "mpoly-2", "2-way"]
"""What a block adds to its state y (Zhang et al. 2017, section 3.1).

poly-2: F(y) + F(F(y)), with one F.
mpoly-2: F(y) + G(F(y)).
2-way: F(y) + G(y).
"""


class PolyNetOptions(ModelOptions):
    """Options of PolyNet on the body of the multistep networks.

    Attributes:
        depth: 6n + 2 layers, of which a block has two, as preresnet of the same blocks: what
            second-order terms compute, and the layers of G, are not counted.
        width: channels of the first stage; the next two have twice and four times as many.
        block: see PolynomialKind.
    """

    width: Whole = Field(default=16, ge=1, le=4096)
    block: PolynomialKind = "poly-2"

    @field_validator("depth")
    @classmethod
    def _whole_blocks(cls, depth: int) -> int:
        blocks_per_stage(depth)
        return depth


def layout_of(options: PolyNetOptions) -> tuple[Block, ...]:
    """The blocks of the network: those of preresnet."""
    return multistep_layout(options.depth, options.width, 1, 0, "project")


def _complete(options: PolyNetOptions, scheme: None) -> PolyNetOptions:
    return options


def _residual_function(inputs: int, outputs: int, size: int) -> Cost:
    return (
        norm(inputs)
        + convolution(inputs, outputs, size)
        + norm(outputs)
        + convolution(outputs, outputs, size)
    )


def _without_classifier(options: PolyNetOptions, channels: int, size: int) -> Cost:
    total = convolution(channels, options.width, size)
    for block in layout_of(options):
        if block.changes_stage:
            size = halved(size)
        function = _residual_function(block.inputs, block.outputs, size)
        total += function
        if block.changes_stage:
            total += convolution(block.inputs, block.outputs, size, kernel=1)
        elif options.block == "poly-2":
            total += Cost(multiply_adds=function.multiply_adds)
        else:
            total += function
    return total + norm(4 * options.width)


def _count(options: PolyNetOptions, scheme: None, channels: int, classes: int) -> int:
    body = _without_classifier(options, channels, size=1)
    return (body + linear(4 * options.width, classes)).parameters


def _multiply_adds(options: PolyNetOptions, scheme: None, channels: int, size: int) -> int:
    return _without_classifier(options, channels, size).multiply_adds


POLYNET = Architecture(
    options=PolyNetOptions,
    default_scheme=None,
    complete=_complete,
    count_parameters=_count,
    count_multiply_adds=_multiply_adds,
    builder="trainers.models.polynet.network:build",
)
