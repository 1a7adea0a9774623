"""The networks of "Understanding ResNet from a discrete dynamical system perspective".

| in the paper (Section 2, Figure 1) | options | x_{l+1} |
| --- | --- | --- |
| (a) base network | shortcuts: false | W2 relu(BN(W1 relu(BN(x)))) |
| (b) ResNet without BN | batch_norm: false | relu(W2 relu(W1 x)) + x |
| (c) ResNet with BN | | W2 relu(BN(W1 relu(BN(x)))) + x |

Experiments are of depths 18 (all three), 34, 50 and 101 (c). The paper gives neither widths nor the
images' size; these are those of He et al. (2016a, Table 1), which it builds on.

It writes (b) in two ways. Lemma 3 has it as (c) less its BN: that is `activation:
full_preactivation` with `batch_norm: false`. None of the networks takes a scheme. One with
shortcuts is a forward Euler method, and (c) is `preact_resnet` with final_norm, which takes all.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Whole
from trainers.models.architecture import Architecture, ModelOptions
from trainers.models.depths import accepted_by
from trainers.models.wide.layout import RESNET_DEPTHS, Stem, WideBlock, division_of, wide_blocks

Activation = Literal["full_preactivation", "relu_before_addition"]
"""Where BN and ReLU stand, by the names of He et al. (2016b, Figure 4).

full_preactivation: before each convolution but the stem's, and before the pooling.
relu_before_addition: after each convolution, the stem's too, but for a projection, which has BN
    alone (He et al. 2016a).
"""


class DynamicalResNetOptions(ModelOptions):
    """Options of a network of the paper.

    Attributes:
        depth: 18 or 34 (basic blocks), 50, 101 or 152 (bottleneck blocks).
        width: channels of the first stage.
        stem: what images pass first; see Stem.
        shortcuts: x_{l+1} = f(x_l) + x_l, with a 1x1 convolution where the shape changes;
            otherwise x_{l+1} = f(x_l).
        batch_norm: BN before each ReLU; otherwise none anywhere.
        activation: None means what Section 2 has: relu_before_addition for a network with
            shortcuts and without BN, full_preactivation for all others.
    """

    depth: Annotated[Whole, accepted_by(partial(division_of, depths=RESNET_DEPTHS))]
    width: Whole = Field(default=64, ge=1, le=4096)
    stem: Stem = "7x7"
    shortcuts: Boolean = True
    batch_norm: Boolean = True
    activation: Activation | None = None

    @property
    def preactivation(self) -> bool:
        """Whether BN and ReLU stand before the convolutions."""
        if self.activation is None:
            return self.batch_norm or not self.shortcuts
        return self.activation == "full_preactivation"


def blocks_of(options: DynamicalResNetOptions) -> tuple[WideBlock, ...]:
    """The blocks of the network in forward order."""
    return wide_blocks(division_of(options.depth, RESNET_DEPTHS), options.width)


def _complete(options: DynamicalResNetOptions, scheme: None) -> DynamicalResNetOptions:
    # Written out, so that asking for the default by name is the same run.
    activation = "full_preactivation" if options.preactivation else "relu_before_addition"
    return options.model_copy(update={"activation": activation})


DYNAMICAL_RESNET = Architecture(
    options=DynamicalResNetOptions,
    complete=_complete,
    builder="trainers.models.dynamical_resnet.network:DynamicalResNet",
)
