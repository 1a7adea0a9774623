"""PolyNet as a spec sees it: options and layout."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trainers.methods.fractions import Whole
from trainers.models.architecture import Architecture, ModelOptions
from trainers.models.depths import accepted_by
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

    depth: Annotated[Whole, accepted_by(blocks_per_stage)]
    width: Whole = Field(default=16, ge=1, le=4096)
    block: PolynomialKind = "poly-2"


def layout_of(options: PolyNetOptions) -> tuple[Block, ...]:
    """The blocks of the network: those of preresnet."""
    return multistep_layout(options.depth, options.width, 1, 0, "project")


POLYNET = Architecture(options=PolyNetOptions, builder="trainers.models.polynet.network:PolyNet")
