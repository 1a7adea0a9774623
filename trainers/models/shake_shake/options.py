"""Shake-Shake as a spec sees it: options and layout."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from trainers.errors import ConfigError
from trainers.methods.fractions import Whole
from trainers.models.architecture import Architecture, ModelOptions
from trainers.models.depths import accepted_by
from trainers.models.multistep.layout import Block, blocks_per_stage, multistep_layout

STEM_CHANNELS = 16


class ShakeShakeOptions(ModelOptions):
    """Options of a residual network with two branches a block (Gastaldi 2017).

    The paper's "26 2x32d" is depth 26, width 32, and "Shake-Shake-Image" the default modes.

    Attributes:
        depth: 6n + 2 layers, n blocks in each of three stages.
        width: channels of the first stage, an even number; the next two have twice and four times
            as many.
        forward: a branch's coefficient in training: "shake" draws it from U(0, 1), "even" is 1/2.
        backward: its coefficient of the gradient: "shake" draws again, "even" is 1/2, "keep" is
            that of the forward pass.
        level: whether each image of a batch has its own draw, or all of them have the same.
    """

    depth: Annotated[Whole, accepted_by(blocks_per_stage)]
    width: Whole = Field(default=32, ge=2, le=4096)
    forward: Literal["shake", "even"] = "shake"
    backward: Literal["shake", "even", "keep"] = "shake"
    level: Literal["image", "batch"] = "image"

    @field_validator("width")
    @classmethod
    def _halves(cls, width: int) -> int:
        if width % 2:
            raise ConfigError(
                "width",
                f"width {width} is odd, and each half of a projection has half of it: the nearest"
                f" are {width - 1} and {width + 1}",
            )
        return width

    @model_validator(mode="after")
    def _one_form(self) -> ShakeShakeOptions:
        """ "even" in both passes is one network, in whichever form it is given."""
        if self.forward == "even" and self.backward == "keep":
            object.__setattr__(self, "backward", "even")
        if self.forward == "even" and self.backward == "even":
            object.__setattr__(self, "level", "image")
        return self


def layout_of(options: ShakeShakeOptions) -> tuple[Block, ...]:
    """The blocks of the network: those of preresnet, after a stem of its own width."""
    first, *others = multistep_layout(options.depth, options.width, 1, 0, "project")
    return replace(first, inputs=STEM_CHANNELS), *others


SHAKE_SHAKE = Architecture(
    options=ShakeShakeOptions, builder="trainers.models.shake_shake.network:ShakeShakeNetwork"
)
