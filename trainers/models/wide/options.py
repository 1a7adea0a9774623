"""Multistep networks on the wide body as a spec sees them: PreActResNet, wide TM-ResNet.

Printed parameters of both (TM-ResNet, for 10 classes) settle what the paper leaves open. 11,171 k
for PreActResNet-18 has no norm on projections and none before the pooling, although He et al.
(2016b, appendix) end with BN-ReLU; `final_norm` adds it. 11,001 k for TM-ResNet-22 has ten basic
blocks, 3, 4, 1 and 2 in the four stages, and carries three states into each stage. Other divisions
of another network may give that figure too: the paper prints no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from pydantic import Field

from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Whole
from trainers.methods.multistep import preresnet
from trainers.methods.scheme_config import SchemeConfig
from trainers.models.architecture import Architecture, ModelOptions
from trainers.models.depths import accepted_by
from trainers.models.wide.layout import RESNET_DEPTHS, Division, Stem, division_of
from trainers.models.wide.recurrence import Step, wide_steps

DEPTHS: Mapping[int, Division] = {**RESNET_DEPTHS, 22: Division((3, 4, 1, 2), bottleneck=False)}
"""He et al. 2016a, Table 1; and TM-ResNet-22, whose first stage is its boot block."""


class WideMultistepOptions(ModelOptions):
    """Options of a multistep network on the wide body.

    Attributes:
        depth: 18, 22 or 34 (basic blocks), 50, 101 or 152 (bottleneck blocks).
        width: channels of the first stage.
        stem: what images pass first; see Stem.
        final_norm: BN-ReLU before the pooling.
        start_blocks: Euler blocks at the start; None means d - 1, the fewest that a scheme of d
            steps can start from. 0 for forward Euler, whose every block is the same step.
    """

    depth: Annotated[Whole, accepted_by(partial(division_of, depths=DEPTHS))]
    width: Whole = Field(default=64, ge=1, le=4096)
    stem: Stem = "3x3"
    final_norm: Boolean = False
    start_blocks: Whole | None = Field(default=None, ge=0)


class WideTaylorOptions(WideMultistepOptions):
    """TM-ResNet starts with a boot block of three residual blocks (its Figure 1)."""

    start_blocks: Whole | None = Field(default=3, ge=0)


def steps_of(options: WideMultistepOptions, scheme: SchemeConfig) -> tuple[Step, ...]:
    """The blocks of the network. Raises ValueError where depth, scheme and options clash."""
    return wide_steps(DEPTHS, options.depth, options.width, scheme.steps, options.start_blocks)


def _complete(options: WideMultistepOptions, scheme: SchemeConfig) -> WideMultistepOptions:
    # Written out, so that asking for the default by number is the same run.
    start_blocks = scheme.steps - 1 if options.start_blocks is None else options.start_blocks
    if scheme.fixed == preresnet(1):
        start_blocks = 0
    completed = options.model_copy(update={"start_blocks": start_blocks})
    steps_of(completed, scheme)
    return completed


PREACT_RESNET = Architecture(
    options=WideMultistepOptions,
    default_scheme={"alpha": 1},
    complete=_complete,
    builder="trainers.models.wide.network:WideMultistepNetwork",
)
