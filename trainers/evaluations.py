"""What can be measured of a trained network besides its clean accuracy, as plain configs.

An evaluation is noise of one kind at one level on the test images (ZeroSNet, section "Robustness";
its released code draws with seed 1). Here are the configs and their names; what they do to pixels
is in `trainers.noise`, which needs torch and is found by name, so that planning does not.
"""

from __future__ import annotations

import hashlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import rfc8785
from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, model_validator

from trainers.exact import Number, Whole
from trainers.registry import Table


def _without_negative_zero(value: float) -> float:
    # -0.0 and 0.0 are one number, with one canonical JSON, and must have one name.
    return value + 0.0


_Zeroed = AfterValidator(_without_negative_zero)
Level = Annotated[Number, Field(ge=-1, le=1, allow_inf_nan=False), _Zeroed]
"""A shift of pixels in [0, 1]."""
Deviation = Annotated[Number, Field(gt=0, allow_inf_nan=False)]
"""A standard deviation, in units of pixels in [0, 1]."""
# PyTorch's CPU generator starts from 32 bits: a larger seed would repeat a smaller one's noise.
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]


class EvaluationConfig(BaseModel, ABC):
    """Base of the configs: frozen, no unknown keys, equal configs have equal names and ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    noise: str

    @property
    def kind(self) -> str:
        """The name in EVALUATIONS, e.g. "uniform"."""
        return self.noise

    @property
    @abstractmethod
    def name(self) -> str:
        """As the columns of a report have it, e.g. "uniform[-0.08,0]"; tells configs apart."""

    @property
    @abstractmethod
    def level(self) -> float:
        """How strong the noise is, as one signed number in units of pixels in [0, 1]."""

    @property
    def config(self) -> dict[str, Any]:
        """All that decides the result, ready for JSON; `parse_evaluation` reads it back."""
        return self.model_dump(mode="json")

    @property
    def evaluation_id(self) -> str:
        """16 hex digits of the SHA-256 over the canonical JSON (RFC 8785) of `config`."""
        return hashlib.sha256(rfc8785.dumps(self.config)).hexdigest()[:16]

    def _named(self, *levels: float, seed: int = 1) -> str:
        text = ",".join(_shortest(level) for level in levels)
        return f"{self.kind}[{text}]" if seed == 1 else f"{self.kind}[{text};seed={seed}]"


def _shortest(value: float) -> str:
    """%g where that is the number itself, all digits where it is not."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


class UniformNoise(EvaluationConfig):
    """Noise uniform in [low, high), drawn for each pixel and channel; -1 <= low < high <= 1."""

    noise: Literal["uniform"] = "uniform"
    low: Level
    high: Level
    seed: Seed = 1

    @model_validator(mode="after")
    def _low_is_below_high(self) -> UniformNoise:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self

    @property
    def name(self) -> str:
        """E.g. "uniform[-0.08,0]"."""
        return self._named(self.low, self.high, seed=self.seed)

    @property
    def level(self) -> float:
        """The bound of larger magnitude, with its sign; the positive one of two that are equal."""
        return max(self.low, self.high, key=lambda bound: (abs(bound), bound))


class GaussianNoise(EvaluationConfig):
    """Noise with mean 0 and standard deviation `std` > 0, drawn for each pixel and channel."""

    noise: Literal["gaussian"] = "gaussian"
    std: Deviation
    seed: Seed = 1

    @property
    def name(self) -> str:
        """E.g. "gaussian[0.02]"."""
        return self._named(self.std, seed=self.seed)

    @property
    def level(self) -> float:
        """The standard deviation."""
        return self.std


class ConstantNoise(EvaluationConfig):
    """One shift, -1 to 1, of every pixel and channel; also read as `mu`, the paper's word."""

    noise: Literal["constant"] = "constant"
    value: Level = Field(validation_alias=AliasChoices("value", "mu"))

    @property
    def name(self) -> str:
        """E.g. "constant[0.3]"."""
        return self._named(self.value)

    @property
    def level(self) -> float:
        """The shift."""
        return self.value


@dataclass(frozen=True)
class Evaluation:
    """How one kind of evaluation is configured and done.

    Attributes:
        config: the class that a spec's keys are validated by.
        perturbation: "module:function"; called with a config, the function returns a fresh
            `trainers.measure.Perturb`. A name, because the module may need torch.
    """

    config: type[EvaluationConfig]
    perturbation: str

    def resolve(self) -> Callable[[EvaluationConfig], Any]:
        """Imports the function that `perturbation` names."""
        function: Callable[[EvaluationConfig], Any] = pkgutil.resolve_name(self.perturbation)
        return function


EVALUATIONS: Table[Evaluation] = Table(
    "evaluation",
    "sweep.evaluations",
    {
        "uniform": Evaluation(UniformNoise, "trainers.noise:uniform"),
        "gaussian": Evaluation(GaussianNoise, "trainers.noise:gaussian"),
        "constant": Evaluation(ConstantNoise, "trainers.noise:constant"),
    },
)


class _Kind(BaseModel):
    noise: str


def parse_evaluation(data: Mapping[str, Any]) -> EvaluationConfig:
    """The config of one entry of a spec's `evaluations`, e.g. {noise: gaussian, std: 1/50}.

    Raises:
        pydantic.ValidationError: a key is missing, unknown, or has a bad value.
        UnknownNameError: no such kind of noise; the message has the nearest.
    """
    kind = _Kind.model_validate(data).noise
    return EVALUATIONS[kind].config.model_validate(data)
