"""Optimizers by name, with the options that each takes; known without torch.

`sgd` is our own (`trainers.optim.sgd`), with the papers' defaults. The others are those of
`torch.optim`, by the name of the class in lower case, with its options, defaults and bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from trainers.config.frozen import Frozen
from trainers.config.named import Choice
from trainers.errors import ConfigError
from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Number

LARGEST_RATE = 3.4e38
"""Of learning, and of weight decay: torch multiplies no float32 tensor by a larger number."""

Kept = Annotated[Number, Field(ge=0, lt=1)]
"""How much of a running average is kept at a step."""

Eps = Annotated[Number, Field(ge=0, le=LARGEST_RATE)]
Size = Annotated[Number, Field(gt=0, le=LARGEST_RATE)]


def _rate(default: float) -> Any:
    return Field(default=default, gt=0, le=LARGEST_RATE)


def _amount(default: float | None) -> Any:
    return Field(default=default, ge=0, le=LARGEST_RATE)


def _kept(default: float) -> Any:
    return Field(default=default, ge=0, lt=1)


_NOT_OFFERED = {
    "maximize": "maximize would make the loss grow; remove it",
    **{
        key: f"{key} is how torch computes, not what: it is not offered, since it may round"
        " differently; remove it"
        for key in ("foreach", "fused", "capturable", "differentiable")
    },
}


class OptimizerConfig(Frozen):
    """One optimizer; subclasses add their options, and are built when they are first asked for."""

    model_config = ConfigDict(defer_build=True)

    name: str
    lr: Number = Field(gt=0, le=LARGEST_RATE)

    @model_validator(mode="before")
    @classmethod
    def _says_why_not(cls, data: Any) -> Any:
        for key in _NOT_OFFERED.keys() & data.keys() if isinstance(data, dict) else ():
            raise ConfigError(key, _NOT_OFFERED[key])
        return data


class DecayingConfig(OptimizerConfig):
    """An optimizer with weight decay.

    Attributes:
        weight_decay: added to the gradient, times the weight; or, where it is decoupled, taken off
            the weight itself (Loshchilov and Hutter 2019).
        decay_norms_and_biases: False for no decay of what normalisation scales and shifts by, and
            of biases; None for decay of every parameter, as in the papers' code.
    """

    weight_decay: Number = _amount(0)
    decay_norms_and_biases: Boolean | None = None

    @model_validator(mode="after")
    def _one_name_for_the_same_decay(self) -> DecayingConfig:
        if self.decay_norms_and_biases or self.weight_decay == 0:
            # A frozen model is completed when it is created.
            object.__setattr__(self, "decay_norms_and_biases", None)
        return self


class SgdConfig(DecayingConfig):
    """Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's."""

    name: Literal["sgd"] = "sgd"
    lr: Number = _rate(0.1)
    momentum: Number = _kept(0.9)
    weight_decay: Number = _amount(1e-4)
    nesterov: Boolean = False
    dampening: Number | None = _amount(None)

    @model_validator(mode="after")
    def _options_fit_the_momentum(self) -> SgdConfig:
        if self.nesterov and self.momentum == 0:
            raise ConfigError("nesterov", "nesterov needs a momentum above 0")
        if self.nesterov and self.dampening:
            raise ConfigError("dampening", "nesterov needs a dampening of 0: remove one of them")
        if self.dampening == 0 or self.momentum == 0:
            object.__setattr__(self, "dampening", None)
        return self


class AdamConfig(DecayingConfig):
    """Kingma and Ba (2015); AMSGrad is that of Reddi et al. (2018)."""

    name: Literal["adam"]
    lr: Number = _rate(1e-3)
    betas: tuple[Kept, Kept] = (0.9, 0.999)
    eps: Number = _amount(1e-8)
    amsgrad: Boolean = False
    decoupled_weight_decay: Boolean = False


class AdamWConfig(DecayingConfig):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    name: Literal["adamw"]
    lr: Number = _rate(1e-3)
    betas: tuple[Kept, Kept] = (0.9, 0.999)
    eps: Number = _amount(1e-8)
    weight_decay: Number = _amount(1e-2)
    amsgrad: Boolean = False


class AdamaxConfig(DecayingConfig):
    """Adam by the infinity norm (Kingma and Ba 2015)."""

    name: Literal["adamax"]
    lr: Number = _rate(2e-3)
    betas: tuple[Kept, Kept] = (0.9, 0.999)
    eps: Number = _amount(1e-8)


class NAdamConfig(DecayingConfig):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    name: Literal["nadam"]
    lr: Number = _rate(2e-3)
    betas: tuple[Kept, Kept] = (0.9, 0.999)
    eps: Number = _amount(1e-8)
    momentum_decay: Number = _amount(4e-3)
    decoupled_weight_decay: Boolean = False


class RAdamConfig(DecayingConfig):
    """Rectified Adam (Liu et al. 2020)."""

    name: Literal["radam"]
    lr: Number = _rate(1e-3)
    betas: tuple[Kept, Kept] = (0.9, 0.999)
    eps: Number = _amount(1e-8)
    decoupled_weight_decay: Boolean = False


class AdagradConfig(DecayingConfig):
    """Duchi et al. (2011)."""

    name: Literal["adagrad"]
    lr: Number = _rate(1e-2)
    lr_decay: Number = _amount(0)
    initial_accumulator_value: Number = _amount(0)
    eps: Number = _amount(1e-10)


class AdadeltaConfig(DecayingConfig):
    """Zeiler (2012)."""

    name: Literal["adadelta"]
    lr: Number = _rate(1.0)
    rho: Number = Field(default=0.9, ge=0, le=1)
    eps: Number = _amount(1e-6)


class AdafactorConfig(DecayingConfig):
    """Shazeer and Stern (2018); eps is that of squared gradients, and that of weights."""

    name: Literal["adafactor"]
    lr: Number = _rate(1e-2)
    beta2_decay: Number = Field(default=-0.8, le=0)
    eps: tuple[Eps | None, Eps] = (None, 1e-3)
    d: Number = Field(default=1.0, ge=1)


class RMSpropConfig(DecayingConfig):
    """Tieleman and Hinton (2012); centered is Graves' (2013). alpha smooths the squares."""

    name: Literal["rmsprop"]
    lr: Number = _rate(1e-2)
    alpha: Number = Field(default=0.99, ge=0, le=1)
    eps: Number = _amount(1e-8)
    momentum: Number = _kept(0)
    centered: Boolean = False


class RpropConfig(OptimizerConfig):
    """Riedmiller and Braun (1993). lr is the first step size, and no schedule changes it later."""

    name: Literal["rprop"]
    lr: Number = _rate(1e-2)
    etas: tuple[
        Annotated[Number, Field(gt=0, lt=1)], Annotated[Number, Field(gt=1, le=LARGEST_RATE)]
    ] = (
        0.5,
        1.2,
    )
    step_sizes: tuple[Size, Size] = (1e-6, 50)

    @field_validator("step_sizes")
    @classmethod
    def _ascending(cls, sizes: tuple[float, float]) -> tuple[float, float]:
        if sizes[0] > sizes[1]:
            raise ValueError(f"step_sizes [{sizes[0]:g}, {sizes[1]:g}] are not least and largest")
        return sizes


class ASGDConfig(DecayingConfig):
    """SGD whose rate falls as a power alpha of the steps (Polyak and Juditsky 1992).

    Torch keeps the average of the weights after step t0 beside them, and trains and measures the
    weights themselves.
    """

    name: Literal["asgd"]
    lr: Number = _rate(1e-2)
    lambd: Number = _amount(1e-4)
    alpha: Number = _amount(0.75)
    t0: Number = _amount(1e6)


OPTIMIZERS: Mapping[str, type[OptimizerConfig]] = {
    "sgd": SgdConfig,
    "adam": AdamConfig,
    "adamw": AdamWConfig,
    "adamax": AdamaxConfig,
    "nadam": NAdamConfig,
    "radam": RAdamConfig,
    "adagrad": AdagradConfig,
    "adadelta": AdadeltaConfig,
    "adafactor": AdafactorConfig,
    "rmsprop": RMSpropConfig,
    "rprop": RpropConfig,
    "asgd": ASGDConfig,
}

_UNFIT = {
    "lbfgs": "evaluates the loss of a step several times, for which dropped blocks and running"
    " statistics of normalisation have no meaning",
    "muon": "takes matrices only, and convolutions, biases and norms are none",
    "sparseadam": "takes sparse gradients only, and those of these networks are dense",
}
"""What else `torch.optim` has, and why it cannot train here."""


OPTIMIZER = Choice("an optimizer", OPTIMIZERS, "sgd", "lr: ...", _UNFIT)
"""Of a recipe."""
