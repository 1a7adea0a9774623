"""The multistep recurrence on the wide body, block by block, without a tensor library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from trainers.errors import ConfigError
from trainers.models.multistep.layout import StageChange, starting
from trainers.models.wide.layout import Division, WideBlock, division_of, wide_blocks

OldStates = Literal["raw", "preactivated"]
"""What states older than the newest pass at a stage change, before their 1x1 convolution.

raw: nothing (ZeroSNet's released code for ImageNet).
preactivated: a BN-ReLU of their own. The newest state's is the first of f either way.
"""


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


def wide_steps(
    depths: Mapping[int, Division],
    depth: int,
    width: int,
    steps: int,
    start_blocks: int | None,
    stage_change: StageChange = "project",
) -> tuple[Step, ...]:
    """Plan the residual blocks of a network of `depth` layers.

    Args:
        depths: which there are.
        width: channels of the first stage.
        steps: d, how many states the scheme combines.
        start_blocks: Euler steps before the scheme's first step, at least d - 1, which None means.
        stage_change: "restart" makes them the first of every stage.

    Raises:
        ValueError: no such depth, too few start blocks, or no block would be left for the scheme.
    """
    division = division_of(depth, depths)
    start_blocks = starting(start_blocks, steps)
    restarts = stage_change == "restart"
    if start_blocks >= _longest_run(division, restarts):
        deeper = [
            known
            for known in sorted(depths)
            if _longest_run(depths[known], restarts) > start_blocks
        ]
        where = "each stage at most" if restarts else "the network"
        raise ConfigError(
            "depth",
            f"depth {depth} gives {where} {_longest_run(division, restarts)} blocks, of which "
            f"{start_blocks} are start blocks, so that no block would use the scheme: choose "
            + (f"depth {deeper[0]} or more" if deeper else "fewer start_blocks"),
        )
    return _planned(division, width, steps, start_blocks, restarts)


def _longest_run(division: Division, restarts: bool) -> int:
    """Blocks that follow each other without a restart, where they are most."""
    return max(division.blocks) if restarts else division.total


@lru_cache(maxsize=4096)
def _planned(
    division: Division, width: int, steps: int, start_blocks: int, restarts: bool
) -> tuple[Step, ...]:
    planned = []
    since_start = 0
    for block in wide_blocks(division, width):
        if restarts and block.stride != 1:
            since_start = 0
        # Of the states so far, those that a step of the scheme at or after this block reaches.
        needed = min(steps, since_start + steps - start_blocks, since_start + 1)
        carried = max(1, needed) if block.changes_shape else 0
        planned.append(Step(block, since_start >= start_blocks, carried))
        since_start += 1
    return tuple(planned)
