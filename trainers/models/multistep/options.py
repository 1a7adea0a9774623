"""The multistep family as a spec sees it: options, and defaults of each paper."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from trainers.errors import ConfigError
from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Number, Whole
from trainers.methods.scheme_config import SchemeConfig
from trainers.models.architecture import Architecture, ModelOptions
from trainers.models.multistep.layout import Block, StageChange, multistep_layout
from trainers.models.wide.layout import IMAGENET_WIDTH, RESNET_DEPTHS, Body
from trainers.models.wide.recurrence import OldStates, Step, wide_steps


class MultistepOptions(ModelOptions):
    """Options of a multistep residual network.

    Attributes:
        depth: 6n + 2 layers, or 9n + 2 with bottleneck blocks; with body "imagenet" 18 or 34 (basic
            blocks), 50, 101 or 152 (bottleneck blocks).
        width: channels of the first stage's 3x3 convolutions; 64 with body "imagenet", unless
            given.
        stage_change: how states cross into the next stage. With body "imagenet" the newest state
            shares the first BN-ReLU of f either way.
        start_blocks: Euler blocks at the start; None means d - 1, the fewest that a scheme of d
            steps can start from.
        block: None for basic blocks, of two 3x3 convolutions; "bottleneck" for a 1x1, a 3x3 and
            a 1x1 convolution, with states four times as wide (ZeroSNet, Figure 3). A spec may
            also say "basic", which is None.
        survival: p_L of stochastic depth, the probability that the last block's f is there for a
            batch of training; it falls to this linearly from 1 (Huang et al. 2016; Lu et al. 2018,
            section 3.2). None, or 1, drops nothing.
        body: None for three stages of equal length on a 3x3 stem, for images of about 32 pixels a
            side; otherwise see Body.
        old_states: with body "imagenet", see OldStates; None means raw, and is what it becomes
            where no block projects more than the newest state.
        final_norm: with body "imagenet", BN-ReLU before the pooling, which the other body always
            has; None means what the model's paper does.
    """

    imagenet_final_norm: ClassVar[bool] = False
    """ZeroSNet's released code ends without, its PreResNet too."""

    width: Whole = Field(default=16, ge=1, le=4096)
    stage_change: StageChange = "project"
    start_blocks: Whole | None = Field(default=None, ge=0)
    block: Literal["bottleneck"] | None = None
    survival: Number | None = Field(default=None, gt=0, le=1)
    body: Body | None = None
    old_states: OldStates | None = None
    final_norm: Boolean | None = None

    @model_validator(mode="before")
    @classmethod
    def _body_decides(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("body") != "imagenet":
            return data
        if data.get("block") is not None:
            raise ConfigError(
                "block",
                f"block {data['block']!r} cannot be chosen with body imagenet, where depth decides "
                "it: basic for 18 and 34, bottleneck for 50, 101 and 152; leave block out",
            )
        return {"width": IMAGENET_WIDTH, **data}

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

    imagenet_final_norm: ClassVar[bool] = True
    """As in He et al. (2016b, appendix), which the paper builds on; it does not say."""

    stage_change: StageChange = "restart"


class TaylorOptions(MultistepOptions):
    """TM-ResNet starts with a boot block of three residual blocks (its Figure 1).

    Its scheme, 3/2, -1, 1/2; 1, is of order 2: the paper claims a local error of O(tau^4), and the
    order conditions give O(tau^3).
    """

    start_blocks: Whole | None = Field(default=3, ge=0)


def layout_of(options: MultistepOptions, scheme: SchemeConfig) -> tuple[Block, ...]:
    """The blocks of the network without a body of its own.

    Raises ValueError where depth, scheme and options clash.
    """
    return multistep_layout(
        options.depth,
        options.width,
        scheme.steps,
        options.start_blocks,
        options.stage_change,
        options.block == "bottleneck",
    )


def steps_of(options: MultistepOptions, scheme: SchemeConfig) -> tuple[Step, ...]:
    """The blocks of the network with body imagenet. Raises ValueError as `layout_of`."""
    return wide_steps(
        RESNET_DEPTHS,
        options.depth,
        options.width,
        scheme.steps,
        options.start_blocks,
        options.stage_change,
    )


def _complete_imagenet(options: MultistepOptions, scheme: SchemeConfig) -> MultistepOptions:
    if options.survival is not None:
        raise ConfigError(
            "survival",
            f"survival {options.survival:g} cannot be had with body imagenet, which has no "
            "stochastic depth: leave survival out",
        )
    carries_older = any(step.carried > 1 for step in steps_of(options, scheme))
    old_states = (options.old_states or "raw") if carries_older else None
    final_norm = options.final_norm
    if final_norm is None:
        final_norm = options.imagenet_final_norm
    return options.model_copy(update={"old_states": old_states, "final_norm": final_norm})


def _complete(options: MultistepOptions, scheme: SchemeConfig) -> MultistepOptions:
    # start_blocks is written out, so that asking for the default by number is the same run; and a
    # survival of 1 is not, since it draws nothing.
    start_blocks = scheme.steps - 1 if options.start_blocks is None else options.start_blocks
    survival = None if options.survival == 1 else options.survival
    completed = options.model_copy(update={"start_blocks": start_blocks, "survival": survival})
    if options.body is not None:
        return _complete_imagenet(completed, scheme)
    for key in ("old_states", "final_norm"):
        if getattr(options, key) is not None:
            raise ConfigError(
                key, f"{key} is an option of body imagenet: add body: imagenet, or leave {key} out"
            )
    layout_of(completed, scheme)
    return completed


PRERESNET = Architecture(
    options=MultistepOptions,
    default_scheme={"alpha": 1},
    complete=_complete,
    builder="trainers.models.multistep.bodies:multistep_network",
)
