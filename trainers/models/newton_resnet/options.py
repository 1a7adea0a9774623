"""Newton-ResNet as a spec sees it: options, and defaults of the paper."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from trainers.errors import ConfigError
from trainers.methods.fractions import Number, Whole
from trainers.models.architecture import Architecture
from trainers.models.resnet.options import (
    Activation,
    ResNetOptions,
    blocks_of,
    has_bottlenecks,
)

Normalisation = Literal["batch", "none"]

Tanh = Literal["half", "always", "never"]
"""When tanh bounds the second-order product.

half: in 16-bit floating point, where "the second order might cause numeric overflow"; "this was not
    observed" in float32, which goes without (section 4.4).
"""

_MOST_PROJECTIONS = 16


class NewtonOptions(ResNetOptions):
    """Options of Newton-ResNet; depth, blocks, width and activation are those of the ResNet.

    N_1 and N_2 of eq. 3 are "normalization layers, e.g. batch normalization or 1x1 convolutions"
    (Figure 2). Here each is any number of 1x1 convolutions, as in Algorithm 1, each followed by a
    batch normalisation or not, and without convolutions the batch normalisation alone.

    Attributes:
        initial_alpha: of every block, which learns its own from there. The paper gives none; at 0
            training starts from the first-order ResNet.
        x_proj: 1x1 convolutions of N_1; None means 1, and 0 without activations: what the
            parameter counts of Tables 1 and 4, and of Tables 2 and 5, come to. Bottleneck blocks
            need 1, which takes the state to the inner width, and None means it.
        lin_proj: 1x1 convolutions of N_2; bottleneck blocks need 1, from the inner width.
        norm_1: of N_1; None means none after convolutions, as in Algorithm 1, and else "batch".
        norm_2: of N_2, "norm" in Algorithm 1.
        projection_activation: phi_2 of Algorithm 1, after each projection. The paper does not say
            which it is, and eq. 3 has none.
        tanh: see Tanh.
    """

    initial_alpha: Number = Field(default=0.0, ge=-1e6, le=1e6)
    x_proj: Whole | None = Field(default=None, ge=0, le=_MOST_PROJECTIONS)
    lin_proj: Whole = Field(default=1, ge=0, le=_MOST_PROJECTIONS)
    norm_1: Normalisation | None = None
    norm_2: Normalisation = "batch"
    projection_activation: Activation = "none"
    tanh: Tanh = "half"


def _complete(options: NewtonOptions, _scheme: None) -> NewtonOptions:
    x_proj, norm_1 = options.x_proj, options.norm_1
    bottlenecks = has_bottlenecks(options)
    if x_proj is None:
        x_proj = 1 if options.activation == "relu" or bottlenecks else 0
    for key, projections in (("x_proj", x_proj), ("lin_proj", options.lin_proj)):
        if bottlenecks and not projections:
            raise ConfigError(
                key,
                f"{key} 0 cannot be had in bottleneck blocks, whose inner width is not that of the "
                f"states: choose {key} 1 or more",
            )
    if norm_1 is None:
        norm_1 = "none" if x_proj else "batch"
    if options.projection_activation == "relu":
        if options.activation == "none":
            raise ConfigError(
                "projection_activation",
                "projection_activation 'relu' contradicts activation 'none', which removes every "
                "activation: choose projection_activation 'none'",
            )
        if x_proj + options.lin_proj == 0:
            raise ConfigError(
                "projection_activation",
                "projection_activation 'relu' follows projections, and x_proj and lin_proj are "
                "both 0: choose projection_activation 'none'",
            )
    # Defaults are written out, so that asking for them by value is the same run.
    written: dict[str, Any] = {"blocks": blocks_of(options), "x_proj": x_proj, "norm_1": norm_1}
    return options.model_copy(update=written)


NEWTON_RESNET = Architecture(
    options=NewtonOptions,
    complete=_complete,
    builder="trainers.models.newton_resnet.network:NewtonNetwork",
    learns_coefficients=True,
)
