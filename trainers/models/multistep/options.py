"""The multistep family as a spec sees it: options, and defaults of each paper."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from trainers.methods.fractions import Number, Whole
from trainers.methods.scheme_config import SchemeConfig
from trainers.models.architecture import Architecture, ModelOptions
from trainers.models.multistep.layout import Block, StageChange, multistep_layout


class MultistepOptions(ModelOptions):
    """Options of a multistep residual network.

    Attributes:
        depth: 6n + 2 layers, or 9n + 2 with bottleneck blocks.
        width: channels of the first stage's 3x3 convolutions.
        stage_change: how states cross into the next stage.
        start_blocks: Euler blocks at the start; None means d - 1, the fewest that a scheme of d
            steps can start from.
        block: None for basic blocks, of two 3x3 convolutions; "bottleneck" for a 1x1, a 3x3 and
            a 1x1 convolution, with states four times as wide (ZeroSNet, Figure 3). A spec may
            also say "basic", which is None.
        survival: p_L of stochastic depth, the probability that the last block's f is there for a
            batch of training; it falls to this linearly from 1 (Huang et al. 2016; Lu et al. 2018,
            section 3.2). None, or 1, drops nothing.
    """

    width: Whole = Field(default=16, ge=1, le=4096)
    stage_change: StageChange = "project"
    start_blocks: Whole | None = Field(default=None, ge=0)
    block: Literal["bottleneck"] | None = None
    survival: Number | None = Field(default=None, gt=0, le=1)

    @field_validator("block", mode="before")
    @classmethod
    def _basic_is_none(cls, block: Any) -> Any:
        # None has no place in the canonical form: networks of basic blocks keep the identity that
        # they had before there were others.
        if block not in (None, "basic", "bottleneck"):
            raise ValueError(f"block {block!r} is neither basic nor bottleneck")
        return None if block == "basic" else block


class RestartingOptions(MultistepOptions):
    """LM-ResNet's released code restarts the recurrence in each stage."""

    stage_change: StageChange = "restart"


class TaylorOptions(MultistepOptions):
    """TM-ResNet starts with a boot block of three residual blocks (its Figure 1).

    Its scheme, 3/2, -1, 1/2; 1, is of order 2: the paper claims a local error of O(tau^4), and the
    order conditions give O(tau^3).
    """

    start_blocks: Whole | None = Field(default=3, ge=0)


def layout_of(options: MultistepOptions, scheme: SchemeConfig) -> tuple[Block, ...]:
    """The blocks of the network. Raises ValueError where depth, scheme and options clash."""
    return multistep_layout(
        options.depth,
        options.width,
        scheme.steps,
        options.start_blocks,
        options.stage_change,
        options.block == "bottleneck",
    )


def _complete(options: MultistepOptions, scheme: SchemeConfig) -> MultistepOptions:
    # start_blocks is written out, so that asking for the default by number is the same run; and a
    # survival of 1 is not, since it draws nothing.
    start_blocks = scheme.steps - 1 if options.start_blocks is None else options.start_blocks
    survival = None if options.survival == 1 else options.survival
    completed = options.model_copy(update={"start_blocks": start_blocks, "survival": survival})
    layout_of(completed, scheme)
    return completed


PRERESNET = Architecture(
    options=MultistepOptions,
    default_scheme={"alpha": 1},
    complete=_complete,
    builder="trainers.models.multistep.network:MultistepNetwork",
)
