"""ResNeXt and LM-ResNeXt as a spec sees them: options and layout."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from pydantic import Field

from trainers.errors import ConfigError
from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Whole
from trainers.methods.scheme_config import SchemeConfig
from trainers.models.architecture import Architecture, ModelOptions
from trainers.models.depths import accepted_by
from trainers.models.multistep.layout import Block, StageChange, blocks_per_stage, multistep_layout

_PLAIN_SUM = SchemeConfig(alpha=(1,), beta=1)


class ResNeXtOptions(ModelOptions):
    """Options of a ResNeXt for small images (Xie et al. 2017, section 5.3).

    The paper's "29, 8x64d" is depth 29, cardinality 8, base_width 64.

    Attributes:
        depth: 9n + 2 layers, n bottleneck blocks in each of three stages.
        cardinality: C, the paths of a block, as groups of its 3x3 convolution.
        base_width: d, channels of a path in the first stage; twice and four times as many in the
            next two.
        width: channels of the stem; the stages' states have 4, 8 and 16 times as many.
        preactivation: norm and ReLU before each convolution, and none after the addition (He et
            al. 2016). False is the original: they follow each convolution, and ReLU the addition.
            That is no linear multistep step: it goes with the plain sum y + f(y) alone.
        stage_change: how states cross into the next stage.
        start_blocks: Euler blocks at the start; None means d - 1, the fewest that a scheme of d
            steps can start from.
    """

    depth: Annotated[Whole, accepted_by(partial(blocks_per_stage, layers_per_block=3))]
    cardinality: Whole = Field(default=8, ge=1, le=1024)
    base_width: Whole = Field(default=64, ge=1, le=1024)
    width: Whole = Field(default=64, ge=1, le=1024)
    preactivation: Boolean = False
    stage_change: StageChange = "project"
    start_blocks: Whole | None = Field(default=None, ge=0)


class LMResNeXtOptions(ResNeXtOptions):
    """LM-ResNeXt is pre-activation (Lu et al. 2018, Table 2).

    How its states cross into a stage the text does not say. Its parameters do: they are 0.7 M more
    than ResNeXt's, and the second state's projections into both stages hold 0.66 M. So this is
    `project`, unlike LM-ResNet's released code, which restarts.
    """

    preactivation: Boolean = True


def layout_of(options: ResNeXtOptions, scheme: SchemeConfig) -> tuple[Block, ...]:
    """The blocks of the network. Raises ValueError where depth, scheme and options clash.

    A grouped convolution is wider than that of a bottleneck block, and after the stem a state is
    normed only as at a stage change.
    """
    blocks = multistep_layout(
        options.depth,
        options.width,
        scheme.steps,
        options.start_blocks,
        options.stage_change,
        bottleneck=True,
    )
    paths, restarts = options.cardinality * options.base_width, options.stage_change == "restart"
    return tuple(
        replace(
            block,
            inner=paths * (block.inner // options.width),
            normed=restarts and block.carried > 0,
        )
        for block in blocks
    )


def _complete(options: ResNeXtOptions, scheme: SchemeConfig) -> ResNeXtOptions:
    plain_sum = scheme == _PLAIN_SUM
    if not options.preactivation:
        if not plain_sum:
            raise ConfigError(
                "preactivation",
                f"preactivation false has ReLU after the addition, which no multistep scheme has:"
                f" it goes with scheme {{alpha: 1}}, and {scheme} needs preactivation true",
            )
        if options.stage_change != "project":
            raise ConfigError(
                "stage_change",
                f"stage_change {options.stage_change!r} puts norm and ReLU before the projection,"
                " which needs preactivation true; without it choose 'project'",
            )
    start_blocks = scheme.steps - 1 if options.start_blocks is None else options.start_blocks
    if plain_sum:
        # Euler steps before Euler steps change nothing.
        start_blocks = 0
    completed = options.model_copy(update={"start_blocks": start_blocks})
    layout_of(completed, scheme)
    return completed


RESNEXT = Architecture(
    options=ResNeXtOptions,
    default_scheme={"alpha": 1},
    complete=_complete,
    builder="trainers.models.resnext.network:ResNeXtNetwork",
)
