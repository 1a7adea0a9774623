"""The plan of a multistep residual network, block by block, without a tensor library.

Specs are checked against it, and `trainers.models.multistep.network` builds from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from trainers.errors import ConfigError
from trainers.models.depths import count_of

StageChange = Literal["project", "restart"]
"""How the states cross into a stage of other width and resolution.

project: each state that a later block needs passes its own 1x1 convolution of stride 2, and the
    projected history goes on (ZeroSNet's released code).
restart: the newest state passes BN-ReLU-1x1 convolution of stride 2, and the scheme starts again
    from it with Euler steps (LM-ResNet's released code).
"""

STAGES = 3

EXPANSION = 4
"""How many times wider the states of bottleneck blocks are than the 3x3 convolutions inside."""


@dataclass(frozen=True)
class Block:
    """One residual block: y_{n+1} from the history and f(y_n).

    Attributes:
        inputs: channels of the states that enter, before any projection.
        inner: channels between the convolutions of f.
        outputs: channels of the state that leaves.
        bottleneck: f has a 1x1, a 3x3 and a 1x1 convolution; otherwise two of 3x3.
        changes_stage: stride 2, and the history is carried over as the stage change says.
        multistep: a step of the scheme; otherwise a start block, the Euler step y + f(y).
        carried: how many of the newest states are projected, 0 where the width stays.
        normed: BN and ReLU come before the projection, which is then of the newest state alone.
    """

    inputs: int
    inner: int
    outputs: int
    bottleneck: bool
    changes_stage: bool
    multistep: bool
    carried: int
    normed: bool

    @property
    def stride(self) -> int:
        """Of the first 3x3 convolution of f, and of the projections."""
        return 2 if self.changes_stage else 1


def blocks_per_stage(depth: int, layers_per_block: int = 2) -> int:
    """n of depth = 6n + 2 (two convolutions a block, three stages, stem and classifier).

    Bottleneck blocks, of three convolutions, make it 9n + 2.

    Raises ConfigError, which names the nearest depths, if there is no such n >= 1.
    """
    kind = " with bottleneck blocks" if layers_per_block == 3 else ""
    return count_of(depth, STAGES * layers_per_block, of=kind)


def starting(start_blocks: int | None, steps: int) -> int:
    """The start blocks of a scheme of d `steps`, d - 1 unless given; ConfigError if too few."""
    if start_blocks is None:
        return steps - 1
    if start_blocks < steps - 1:
        raise ConfigError(
            "start_blocks",
            f"start_blocks {start_blocks} is too few: a scheme of {steps} steps needs "
            f"{steps - 1} earlier states",
        )
    return start_blocks


@lru_cache(maxsize=4096)
def multistep_layout(
    depth: int,
    width: int,
    steps: int,
    start_blocks: int | None,
    stage_change: StageChange,
    bottleneck: bool = False,
) -> tuple[Block, ...]:
    """Plan the residual blocks of a network of `depth` layers.

    Args:
        depth: 6n + 2, with n basic blocks in each of the three stages, or 9n + 2 with n
            bottleneck blocks.
        width: channels of the first stage's 3x3 convolutions; the next two have twice and four
            times as many. The states are as wide, and EXPANSION times that with bottleneck blocks.
        steps: d, how many states the scheme combines.
        start_blocks: Euler steps before the scheme's first step, at least d - 1, which None means.
        stage_change: see StageChange.
        bottleneck: of which kind the blocks are. The stem's state is then narrower than the
            others: in the first block it passes BN-ReLU-1x1 convolution, of stride 1, whatever
            the stage change (the released code of both ZeroSNet and LM-ResNet).

    Raises:
        ValueError: the depth is not 6n + 2 (9n + 2), there are too few start blocks, or no block
            would be left for the scheme.
    """
    layers_per_block = 3 if bottleneck else 2
    n = blocks_per_stage(depth, layers_per_block)
    start_blocks = starting(start_blocks, steps)
    restarts = stage_change == "restart"
    run_length = n if restarts else STAGES * n
    if start_blocks >= run_length:
        where = "each stage" if restarts else "the network"
        fewest = start_blocks + 1 if restarts else start_blocks // STAGES + 1
        raise ConfigError(
            "depth",
            f"depth {depth} gives {where} {run_length} blocks, of which {start_blocks} are start "
            f"blocks, so that no block would use the scheme: choose depth "
            f"{layers_per_block * STAGES * fewest + 2} or more",
        )
    blocks: list[Block] = []
    since_start = 0
    for index in range(STAGES * n):
        stage, within = divmod(index, n)
        changes_stage = stage > 0 and within == 0
        widens_stem = bottleneck and index == 0
        carried = 1 if widens_stem else 0
        if changes_stage:
            if restarts:
                since_start = 0
            # A state j steps old is still needed if a scheme step at or after this block reaches
            # back to it; more start blocks than d - 1 make some of them too old.
            needed = min(steps, since_start + steps - start_blocks)
            carried = max(1, min(needed, since_start + 1))
        inner = width * 2**stage
        blocks.append(
            Block(
                inputs=blocks[-1].outputs if blocks else width,
                inner=inner,
                outputs=EXPANSION * inner if bottleneck else inner,
                bottleneck=bottleneck,
                changes_stage=changes_stage,
                multistep=since_start >= start_blocks,
                carried=carried,
                normed=widens_stem or (changes_stage and restarts),
            )
        )
        since_start += 1
    return tuple(blocks)
