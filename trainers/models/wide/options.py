"""Multistep networks on the wide body as a spec sees them: PreActResNet, wide TM-ResNet.

Printed parameters of both (TM-ResNet, for 10 classes) settle what the paper leaves open. 11,171 k
for PreActResNet-18 has no norm on projections and none before the pooling, although He et al.
(2016b, appendix) end with BN-ReLU; `final_norm` adds it. 11,001 k for TM-ResNet-22 has ten basic
blocks, 3, 4, 1 and 2 in the four stages, and carries three states into each stage. Other divisions
of another network may give that figure too: the paper prints no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Annotated

from pydantic import Field

from trainers.errors import ConfigError
from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Whole
from trainers.methods.multistep import preresnet
from trainers.methods.scheme_config import SchemeConfig
from trainers.models.architecture import Architecture, ModelOptions
from trainers.models.depths import accepted_by
from trainers.models.multistep.layout import starting
from trainers.models.wide.layout import (
    RESNET_DEPTHS,
    Division,
    Stem,
    WideBlock,
    division_of,
    wide_blocks,
)

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


@dataclass(frozen=True)
class Step:
    """One residual block's place in the recurrence.

    Attributes:
        multistep: a step of the scheme; otherwise a start block, the Euler step y + f(y).
        carried: how many of the newest states are projected into the shape of the state that
            leaves; 0 where the shape stays.
    """

    block: WideBlock
    multistep: bool
    carried: int


@lru_cache(maxsize=4096)
def wide_steps(depth: int, width: int, steps: int, start_blocks: int | None) -> tuple[Step, ...]:
    """Plan the residual blocks of a network of `depth` layers.

    Args:
        depth: a key of DEPTHS.
        width: channels of the first stage.
        steps: d, how many states the scheme combines.
        start_blocks: Euler steps before the scheme's first step, at least d - 1, which None means.

    Raises:
        ValueError: no such depth, too few start blocks, or no block would be left for the scheme.
    """
    division = division_of(depth, DEPTHS)
    start_blocks = starting(start_blocks, steps)
    if start_blocks >= division.total:
        deeper = [known for known in sorted(DEPTHS) if DEPTHS[known].total > start_blocks]
        raise ConfigError(
            "depth",
            f"depth {depth} gives the network {division.total} blocks, of which {start_blocks} are "
            "start blocks, so that no block would use the scheme: choose "
            + (f"depth {deeper[0]} or more" if deeper else "fewer start_blocks"),
        )
    planned = []
    for index, block in enumerate(wide_blocks(division, width)):
        # Of the states so far, those that a step of the scheme at or after this block reaches.
        needed = min(steps, index + steps - start_blocks, index + 1)
        carried = max(1, needed) if block.changes_shape else 0
        planned.append(Step(block, index >= start_blocks, carried))
    return tuple(planned)


def steps_of(options: WideMultistepOptions, scheme: SchemeConfig) -> tuple[Step, ...]:
    """The blocks of the network. Raises ValueError where depth, scheme and options clash."""
    return wide_steps(options.depth, options.width, scheme.steps, options.start_blocks)


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
