"""What can be measured of a trained network in addition to its clean accuracy, as plain configs.

An evaluation is noise of one kind at one level on the test images (ZeroSNet, section "Robustness";
its released code draws with seed 1), or an attack, which looks for the worst small change of each
image (the same section names FGSM and PGD). Here are the configs and their names; what they do to
pixels is in `trainers.evaluation.noise` and `trainers.evaluation.attacks`, which need torch and are
found by name, so that planning does not.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    model_validator,
)

from sweep_plugins import Registry
from sweep_plugins.schemes.exact_numbers import exact, to_float
from trainers.config.canonical import SHA256, canonical, identity
from trainers.errors import ConfigError
from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Number, Whole


def _without_negative_zero(value: float) -> float:
    # -0.0 and 0.0 are one number, with one canonical JSON, and must have one name.
    return value + 0.0


_Zeroed = AfterValidator(_without_negative_zero)
Level = Annotated[Number, Field(ge=-1, le=1, allow_inf_nan=False), _Zeroed]
"""A shift of pixels in [0, 1]."""
Deviation = Annotated[Number, Field(gt=0, le=1000, allow_inf_nan=False)]
"""A standard deviation, in units of pixels in [0, 1]."""
# PyTorch's CPU generator starts from 32 bits: a larger seed would repeat a smaller one's noise.
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]


# Pixels near 1, in float32, are a sixteenth of the least radius apart.
Radius = Annotated[Number, Field(ge=1e-6, le=1)]
"""How far an attack may move a pixel in [0, 1]."""
Step = Annotated[Number, Field(gt=0, le=1)]
"""How far it moves a pixel at a time."""

KEYS = ("noise", "attack")
"""An entry of a spec has one of them, whose value is the kind: {noise: gaussian, ...}."""

SOURCE = "plugin_source"
"""The key of a stored config that has the SHA-256 of the code of a plug-in's evaluation."""


class EvaluationConfig(BaseModel, ABC):
    """Base of the configs: frozen, no unknown keys, equal configs have equal names and ids.

    A subclass has the field `noise` or the field `attack`, a Literal with the name in EVALUATIONS.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    _source: str | None = PrivateAttr(default=None)

    @property
    def source(self) -> str | None:
        """The SHA-256 of the plug-in's code that measures it; None for what ships with us."""
        return self._source

    def with_source(self, source: str | None) -> Self:
        """The same, measured by the plug-in's code of this SHA-256."""
        copied = self.model_copy()
        copied._source = source
        return copied

    @property
    def kind(self) -> str:
        """The name in EVALUATIONS, e.g. "uniform"."""
        kind: str = getattr(self, key_of_kind(type(self).model_fields))
        return kind

    @property
    @abstractmethod
    def name(self) -> str:
        """As the columns of a report have it, e.g. "uniform[-0.08,0]"; tells configs apart."""

    @property
    @abstractmethod
    def level(self) -> float:
        """How strong it is, as one signed number in units of pixels in [0, 1]."""

    @property
    def passes(self) -> int:
        """What it costs, in forward passes of the test images. A gradient costs about three."""
        return 1

    @property
    def config(self) -> dict[str, Any]:
        """All that decides the result, ready for JSON; `stored_evaluation` reads it back."""
        given = self.model_dump(mode="json")
        return given if self._source is None else given | {SOURCE: self._source}

    @property
    def evaluation_id(self) -> str:
        """16 hex digits of the SHA-256 over the canonical JSON (RFC 8785) of `config`."""
        return identity(canonical(self.config))

    def _named(self, *levels: float | str, seed: int = 1) -> str:
        text = ",".join(level if isinstance(level, str) else _shortest(level) for level in levels)
        return f"{self.kind}[{text}]" if seed == 1 else f"{self.kind}[{text};seed={seed}]"


def key_of_kind(keys: Container[str]) -> str:
    """Which of KEYS is there; the first if none is."""
    return next((key for key in KEYS if key in keys), KEYS[0])


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
            raise ConfigError("low", f"low ({self.low:g}) must be below high ({self.high:g})")
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


class FastGradientSign(EvaluationConfig):
    """FGSM: each pixel is moved by `epsilon`, up or down as its gradient says.

    x + epsilon sign(grad_x loss(x, label)) (Goodfellow, Shlens and Szegedy 2015), the largest
    change in the ball of radius `epsilon`, in the L-infinity norm, of a loss that is linear.
    """

    attack: Literal["fgsm"] = "fgsm"
    epsilon: Radius

    @property
    def name(self) -> str:
        """E.g. "fgsm[8/255]"."""
        return self._named(_of_255(self.epsilon))

    @property
    def level(self) -> float:
        """The radius."""
        return self.epsilon

    @property
    def passes(self) -> int:
        """One gradient, and the pass that every evaluation ends with."""
        return 4


class ProjectedGradientDescent(EvaluationConfig):
    """PGD: signed gradient steps inside the L-infinity ball (Madry et al. 2018, section 2.1).

    Attributes:
        epsilon: radius of the ball.
        step: length of a step; 2.5 epsilon / steps unless given, with which any point of the ball
            is reached from any other (Madry et al. 2018, section 5).
        steps: how many.
        restarts: how often it starts, each time from a random point of the ball; for each image
            the worst of what was found counts.
        random_start: False to start once, from the image itself.
        seed: of the random points.
    """

    attack: Literal["pgd"] = "pgd"
    epsilon: Radius
    step: Step = 1
    steps: Whole = Field(default=10, ge=1, le=10_000)
    restarts: Whole = Field(default=1, ge=1, le=1_000)
    random_start: Boolean = True
    seed: Seed = 1

    @model_validator(mode="after")
    def _step_is_known(self) -> ProjectedGradientDescent:
        if "step" not in self.model_fields_set:
            object.__setattr__(self, "step", self._usual_step())
        return self

    @model_validator(mode="after")
    def _without_a_random_start_nothing_is_drawn(self) -> ProjectedGradientDescent:
        # One attack has one name and one id.
        if not self.random_start:
            if self.restarts != 1:
                raise ConfigError(
                    "restarts", f"restarts {self.restarts} without a random start are all the same"
                )
            if self.seed != 1:
                raise ConfigError(
                    "seed", f"seed {self.seed} without a random start changes nothing"
                )
        return self

    def _usual_step(self) -> float:
        return min(1.0, to_float(exact(self.epsilon) * 5 / (2 * self.steps)))

    @property
    def name(self) -> str:
        """E.g. "pgd[8/255]", or in full "pgd[8/255,40x1/255,5 restarts;seed=2]"."""
        words = [_of_255(self.epsilon)]
        if self.steps != 10 or self.step != self._usual_step():
            words.append(f"{self.steps}x{_of_255(self.step)}")
        if self.restarts != 1:
            words.append(f"{self.restarts} restarts")
        if not self.random_start:
            words.append("no random start")
        return self._named(*words, seed=self.seed)

    @property
    def level(self) -> float:
        """The radius."""
        return self.epsilon

    @property
    def passes(self) -> int:
        """A gradient each step; several restarts are compared."""
        compared = self.restarts if self.restarts > 1 else 0
        return 3 * self.steps * self.restarts + compared + 1


def _of_255(value: float) -> str:
    """As `_shortest`, but 8/255 for what has no short decimal and is a step between two bytes."""
    short, fraction = _shortest(value), exact(value) * 255
    return f"{fraction}/255" if len(short) > 6 and fraction.denominator == 1 else short


@dataclass(frozen=True)
class Evaluation:
    """How one kind of evaluation is configured and done.

    Attributes:
        config: the class that a spec's keys are validated by.
        perturbation: "module:function"; called with a config, the function returns a fresh
            `trainers.evaluation.measure.Perturb`. A name, because the module may need torch.
        sources: of a plug-in, the files and folders that decide its results, relative to its own
            file, which is one of them; empty for what `sweep_plugins.source.code_of` finds.
    """

    config: type[EvaluationConfig]
    perturbation: str
    sources: tuple[str, ...] = ()


EVALUATIONS: Registry[Evaluation] = Registry(
    "evaluation",
    "sweep.evaluations",
    {
        "uniform": Evaluation(UniformNoise, "trainers.evaluation.noise:uniform"),
        "gaussian": Evaluation(GaussianNoise, "trainers.evaluation.noise:gaussian"),
        "constant": Evaluation(ConstantNoise, "trainers.evaluation.noise:constant"),
        "fgsm": Evaluation(FastGradientSign, "trainers.evaluation.attacks:fgsm"),
        "pgd": Evaluation(ProjectedGradientDescent, "trainers.evaluation.attacks:pgd"),
    },
    instance_of=Evaluation,
)


class _Kind(BaseModel):
    noise: str = ""
    attack: str = ""

    @model_validator(mode="before")
    @classmethod
    def _one_is_given(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and not any(key in data for key in KEYS):
            raise ValueError(f"{' or '.join(KEYS)} is missing")
        return data


def parse_evaluation(data: Mapping[str, Any]) -> EvaluationConfig:
    """The config of one entry of a spec's `evaluations`, e.g. {noise: gaussian, std: 1/50}.

    Raises:
        pydantic.ValidationError: a key is missing, unknown, or has a bad value.
        UnknownNameError: no such kind of noise or attack; the message has the nearest.
    """
    kind = getattr(_Kind.model_validate(data), key_of_kind(data))
    return EVALUATIONS[kind].config.model_validate(data)


def stored_evaluation(config: Mapping[str, Any]) -> EvaluationConfig:
    """An evaluation as a database keeps it: as `parse_evaluation`, and by which code of a plug-in.

    Raises as that does, and ValueError for what is no SHA-256, or has one and ships with us.
    """
    source = config.get(SOURCE)
    known = parse_evaluation({key: value for key, value in config.items() if key != SOURCE})
    if source is None:
        return known
    if not (isinstance(source, str) and re.fullmatch(SHA256, source)):
        raise ValueError(f"{SOURCE}: {source!r:.80} is no SHA-256")
    if known.kind in EVALUATIONS.own:
        raise ValueError(f"{SOURCE}: evaluation {known.kind} is of no plug-in")
    return known.with_source(source)
