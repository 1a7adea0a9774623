"""RevNet as a spec sees it: options and layout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from pydantic import field_validator

from trainers.errors import ConfigError
from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Whole
from trainers.models.architecture import Architecture, ModelOptions, written_out
from trainers.models.depths import accepted_by, count_of

STAGES = 3
_LAYERS = 4 * STAGES
"""Convolutions of one block in each stage."""

WIDTHS = (32, 64, 128)
"""Of RevNet-110 (Gomez et al. 2017, Table 2; released code)."""

WIDTHS_OF_38 = (32, 64, 112)
"""Of RevNet-38, which is to have the parameters of ResNet-32."""


class RevNetOptions(ModelOptions):
    """Options of RevNet without bottlenecks, as its CIFAR networks of 38 and 110 layers.

    Attributes:
        depth: 12n + 2, with n blocks in each of three stages, and four convolutions in a block.
        widths: channels of each stage, both streams together; None means the paper's.
        recompute: compute activations again in the backward pass, from each stage's output, and
            keep none of those between. The gradients round differently, so it is part of what
            makes a run; a compiled graph keeps its activations whatever is said here.
    """

    depth: Annotated[Whole, accepted_by(partial(count_of, layers=_LAYERS))]
    widths: tuple[Whole, Whole, Whole] | None = None
    recompute: Boolean = True

    @field_validator("widths")
    @classmethod
    def _streams_of_equal_width(
        cls, widths: tuple[int, int, int] | None
    ) -> tuple[int, int, int] | None:
        for width in widths or ():
            if not 2 <= width <= 8192:
                raise ValueError(f"width {width} is not between 2 and 8192")
            if width % 2:
                raise ValueError(
                    f"width {width} cannot be split into two streams: the nearest are "
                    f"{width - 1} and {width + 1}"
                )
        if widths and list(widths) != sorted(widths):
            raise ConfigError(
                "widths",
                f"widths {list(widths)} fall, but a stage pads the channels of the one before it: "
                f"{sorted(widths)} would do",
            )
        return widths


@dataclass(frozen=True)
class Coupling:
    """One block: y_1 = x_1 + F(x_2), y_2 = x_2 + G(y_1).

    Attributes:
        inputs, outputs: channels of one stream.
        changes_stage: stride 2; x_1 and x_2 are averaged over 2x2 pixels and padded with zero
            channels first, so the block cannot be inverted.
        activated: F starts with BN-ReLU; the first block's does not, since the stem ends so.
    """

    inputs: int
    outputs: int
    changes_stage: bool
    activated: bool


def widths_of(options: RevNetOptions) -> tuple[int, int, int]:
    """Channels of each stage, both streams together."""
    return options.widths or (WIDTHS_OF_38 if options.depth == 38 else WIDTHS)


def layout_of(options: RevNetOptions) -> tuple[tuple[Coupling, ...], ...]:
    """The blocks of each stage."""
    streams = [width // 2 for width in widths_of(options)]
    return tuple(
        tuple(
            Coupling(
                inputs=streams[stage - 1] if stage and not index else streams[stage],
                outputs=streams[stage],
                changes_stage=stage > 0 and index == 0,
                activated=stage > 0 or index > 0,
            )
            for index in range(count_of(options.depth, _LAYERS))
        )
        for stage in range(STAGES)
    )


REVNET = Architecture(
    options=RevNetOptions,
    complete=written_out("widths", widths_of),
    builder="trainers.models.revnet.network:RevNet",
)
