"""The plan of a multistep residual network, block by block, without a tensor library.

Planning counts parameters from it and `trainers.models.multistep` builds from it, so that the
two cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

StageChange = Literal["project", "restart"]
"""How the states cross into a stage of other width and resolution.

project: each state that a later block needs passes its own 1x1 convolution of stride 2, and the
    projected history goes on (ZeroSNet's released code).
restart: the newest state passes BN-ReLU-1x1 convolution of stride 2, and the scheme starts again
    from it with Euler steps (LM-ResNet's released code).
"""

STAGES = 3


@dataclass(frozen=True)
class Block:
    """One residual block: y_{n+1} from the history and f(y_n).

    Attributes:
        inputs: channels of the states that enter, before any projection.
        outputs: channels of the state that leaves.
        changes_stage: stride 2, and the history is carried over as the stage change says.
        multistep: a step of the scheme; otherwise a start block, the Euler step y + f(y).
        carried: how many of the newest states are projected at a stage change, 0 elsewhere.
    """

    inputs: int
    outputs: int
    changes_stage: bool
    multistep: bool
    carried: int


def blocks_per_stage(depth: int) -> int:
    """n of depth = 6n + 2 (two convolutions a block, three stages, stem and classifier).

    Raises:
        ValueError: no such n >= 1; names the nearest depths.
    """
    n, rest = divmod(depth - 2, 2 * STAGES)
    if n >= 1 and rest == 0:
        return n
    lower = max(1, n)
    valid = [6 * m + 2 for m in (lower, lower + 1)]
    raise ValueError(
        f"depth {depth} is not 6n + 2 for a whole n >= 1; the nearest are {valid[0]} and {valid[1]}"
    )


@lru_cache(maxsize=4096)
def multistep_layout(
    depth: int, width: int, steps: int, start_blocks: int, stage_change: StageChange
) -> tuple[Block, ...]:
    """Plan the residual blocks of a network of `depth` layers.

    Args:
        depth: 6n + 2, with n basic blocks in each of the three stages.
        width: channels of the first stage; the next two have twice and four times as many.
        steps: d, how many states the scheme combines.
        start_blocks: Euler steps before the scheme's first step, at least d - 1.
        stage_change: see StageChange.

    Raises:
        ValueError: the depth is not 6n + 2, or no block would be left for the scheme.
    """
    n = blocks_per_stage(depth)
    if start_blocks < steps - 1:
        raise ValueError(
            f"start_blocks {start_blocks} is too few: a scheme of {steps} steps needs "
            f"{steps - 1} earlier states"
        )
    run_length = n if stage_change == "restart" else STAGES * n
    if start_blocks >= run_length:
        where = "each stage" if stage_change == "restart" else "the network"
        fewest = start_blocks + 1 if stage_change == "restart" else start_blocks // STAGES + 1
        raise ValueError(
            f"depth {depth} gives {where} {run_length} blocks, of which {start_blocks} are start "
            f"blocks, so that no block would use the scheme: choose depth "
            f"{2 * STAGES * fewest + 2} or more"
        )
    blocks = []
    since_start = 0
    for index in range(STAGES * n):
        stage, within = divmod(index, n)
        changes_stage = stage > 0 and within == 0
        if changes_stage and stage_change == "restart":
            since_start = 0
        carried = 0
        if changes_stage:
            # A state j steps old is still needed if a scheme step at or after this block reaches
            # back to it; more start blocks than d - 1 make some of them too old.
            needed = min(steps, since_start + steps - start_blocks)
            carried = max(1, min(needed, since_start + 1))
        blocks.append(
            Block(
                inputs=width * 2 ** (stage - (1 if changes_stage else 0)),
                outputs=width * 2**stage,
                changes_stage=changes_stage,
                multistep=since_start >= start_blocks,
                carried=carried,
            )
        )
        since_start += 1
    return tuple(blocks)


def count_parameters(
    layout: tuple[Block, ...],
    *,
    width: int,
    stage_change: StageChange,
    channels: int,
    classes: int,
    trainable_coefficients: int,
) -> int:
    """Trainable parameters of the network that `layout` describes.

    Args:
        channels: of the input images.
        trainable_coefficients: scalars that each multistep block learns (0 for a fixed scheme).
    """
    count = channels * width * 9
    for block in layout:
        norms = 2 * block.inputs + 2 * block.outputs
        convolutions = 9 * block.inputs * block.outputs + 9 * block.outputs**2
        shortcuts = block.carried * block.inputs * block.outputs
        if block.changes_stage and stage_change == "restart":
            shortcuts += 2 * block.inputs
        count += norms + convolutions + shortcuts
        if block.multistep:
            count += trainable_coefficients
    features = layout[-1].outputs
    return count + 2 * features + features * classes + classes


def count_multiply_adds(layout: tuple[Block, ...], *, width: int, channels: int, size: int) -> int:
    """Multiply-adds of the convolutions in one image's forward pass; the measure of its cost.

    Args:
        channels, size: of the input images; `size` is pixels a side.
    """
    count = 9 * channels * width * size**2
    for block in layout:
        if block.changes_stage:
            size = (size + 1) // 2
        weights = (
            9 * block.inputs * block.outputs
            + 9 * block.outputs**2
            + block.carried * block.inputs * block.outputs
        )
        count += weights * size**2
    return count
