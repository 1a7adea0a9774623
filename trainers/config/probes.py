"""What can be measured of a network while it trains: PROBES, by name, and what a spec says of each.

A probe is measured before training, every n epochs and after the last one, without changing
a bit of the run. Its config is free of torch, so that planning stays quick; what measures it is
found by name. Units and layers of the results are in docs/probes.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    field_validator,
)
from typing_extensions import override

from sweep_plugins import Registry
from trainers.errors import ConfigError
from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Whole


@dataclass(frozen=True)
class ProbedRun:
    """What a probe needs to know of its run.

    Attributes:
        epochs: of training.
        test_images: in the dataset; None before it is known.
        model: its name.
        scheme: as messages show it; None for a network without one.
        learns_coefficients: whether the network's blocks do.
    """

    epochs: int
    test_images: int | None
    model: str
    scheme: str | None
    learns_coefficients: bool


class ProbeConfig(BaseModel, ABC):
    """Base of the configs: frozen, no unknown keys. A subclass fixes `probe`, its key in PROBES."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    probe: str

    def completed(self, run: ProbedRun) -> Self:
        """The same, in the one form that it has for this run.

        Raises:
            ConfigError: the run has nothing to measure.
        """
        return self

    @abstractmethod
    def is_measured(self, epoch: int, *, last: bool) -> bool:
        """Whether it is measured after this epoch; 0 is before training.

        Args:
            last: training ends with this epoch.
        """


class RepeatedProbe(ProbeConfig):
    """A probe that is measured before training, on the way, and at the end.

    Attributes:
        every: epochs between measurements.
    """

    every: Whole = Field(default=1, ge=1)

    def completed(self, run: ProbedRun) -> Self:
        """Intervals longer than the run are one: only before and after training is measured."""
        return self.model_copy(update={"every": min(self.every, run.epochs)})

    @override
    def is_measured(self, epoch: int, *, last: bool) -> bool:
        return last or epoch % self.every == 0


class PrincipalAngles(RepeatedProbe):
    """Median principal angles of the features within and between classes, in degrees.

    Attributes:
        images_per_class: test images of each class, or as many as there are.
        by_class: also for each class, and for each two classes.
    """

    probe: Literal["principal_angles"] = "principal_angles"
    images_per_class: Whole = Field(default=50, ge=2, le=10_000)
    by_class: Boolean = False


class ConditionNumbers(RepeatedProbe):
    """Condition numbers and extreme singular values of convolutions; kappa of blocks.

    All with circular padding: those of the network's own, with zeros, do not go with them.
    """

    probe: Literal["condition_numbers"] = "condition_numbers"


class FeatureNorms(RepeatedProbe):
    """Mean norms of the states that leave the stem and each block.

    Attributes:
        images: test images, or as many as there are.
    """

    probe: Literal["feature_norms"] = "feature_norms"
    images: Whole = Field(default=256, ge=1)

    def completed(self, run: ProbedRun) -> Self:
        """More images than there are, are all of them."""
        completed = super().completed(run)
        if run.test_images is None:
            return completed
        return completed.model_copy(update={"images": min(self.images, run.test_images)})


class LearnedCoefficients(RepeatedProbe):
    """The coefficients that each block learns."""

    probe: Literal["learned_coefficients"] = "learned_coefficients"

    def completed(self, run: ProbedRun) -> Self:
        """Raises ConfigError for a network that learns none."""
        if not run.learns_coefficients:
            raise ConfigError(
                "probes",
                f"probes has learned_coefficients, but {run.model} learns none"
                + (
                    ": remove the probe, or choose a model that does"
                    if run.scheme is None
                    else f" with the scheme {run.scheme}: add trainable: true to the scheme, or"
                    " remove the probe"
                ),
            )
        return super().completed(run)


class Runtime(ProbeConfig):
    """How long an epoch and a test take, measured once, after the last epoch.

    Attributes:
        batch_sizes: images a batch; measured with each.
        batches: how many are timed, after one that is not.
    """

    probe: Literal["runtime"] = "runtime"
    batch_sizes: tuple[Whole, ...] = (128,)
    batches: Whole = Field(default=5, ge=1, le=10_000)

    @field_validator("batch_sizes", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return (given,) if type(given) is int else given

    @field_validator("batch_sizes")
    @classmethod
    def _ascending(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if not sizes or len(set(sizes)) < len(sizes):
            raise ValueError(f"batch sizes {list(sizes)} are not one or more, none of them twice")
        if not all(2 <= size <= 1_000_000 for size in sizes):
            raise ValueError(f"batch sizes {list(sizes)} are not all between 2 and 1000000")
        return tuple(sorted(sizes))

    @override
    def is_measured(self, epoch: int, *, last: bool) -> bool:
        return last and epoch > 0


@dataclass(frozen=True)
class Probe:
    """How one probe is configured and measured.

    Attributes:
        config: the class that a spec's options are validated by.
        meter: "module:function"; called with a config and a `trainers.probes.subject.Subject`, the
            function returns a `trainers.probes.subject.Meter`. A name, because it needs torch.
        sources: of a plug-in, the files and folders that decide its results, relative to its own
            file, which is one of them; empty for what `sweep_plugins.source.code_of` finds.
    """

    config: type[ProbeConfig]
    meter: str
    sources: tuple[str, ...] = ()


PROBES: Registry[Probe] = Registry(
    "probe",
    "sweep.probes",
    {
        # Median principal angles within and between classes (dynamical system, Definition 1).
        "principal_angles": Probe(PrincipalAngles, "trainers.probes.principal_angles:meter"),
        # Condition numbers of convolutions and blocks (dynamical system, eq. 2).
        "condition_numbers": Probe(ConditionNumbers, "trainers.probes.condition_numbers:meter"),
        # ||y_n||, which a root outside the unit circle makes grow (ZeroSNet, Condition 1).
        "feature_norms": Probe(FeatureNorms, "trainers.probes.feature_norms:meter"),
        # What each block learns of its scheme (Lu et al. 2018, Figure 4; ZeroSNet-Tra).
        "learned_coefficients": Probe(
            LearnedCoefficients, "trainers.probes.learned_coefficients:meter"
        ),
        # Seconds, images a second and megabytes (ZeroSNet, Table 9; Newton-ResNet, Table 6).
        "runtime": Probe(Runtime, "trainers.probes.runtime:meter"),
    },
    instance_of=Probe,
)


def parse_probe(data: Any) -> ProbeConfig:
    """The config of one probe, from its name or {probe: name, option: ...}.

    Raises:
        pydantic.ValidationError: an option is unknown, or has a bad value.
        UnknownNameError: no such probe; the message has the nearest.
        ValueError: neither a name nor such a mapping.
    """
    if isinstance(data, ProbeConfig):
        return data
    if isinstance(data, str):
        data = {"probe": data}
    if not isinstance(data, dict) or not isinstance(data.get("probe"), str):
        raise ValueError(f"{data!r} is not a probe: give its name, or {{probe: name, ...}}")
    return PROBES[data["probe"]].config.model_validate(data)


def _none_twice(probes: tuple[ProbeConfig, ...]) -> tuple[ProbeConfig, ...]:
    names = [probe.probe for probe in probes]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} is listed twice; keep one")
    # In one order, since two orders are one training.
    return tuple(sorted(probes, key=lambda probe: probe.probe))


def _is_list(data: Any) -> Any:
    if isinstance(data, Sequence) and not isinstance(data, str):
        return data
    raise ValueError(f"{data!r} is not a list of probes: write [{', '.join(PROBES)}], or some")


Probes = Annotated[
    tuple[Annotated[SerializeAsAny[ProbeConfig], BeforeValidator(parse_probe)], ...],
    BeforeValidator(_is_list),
    AfterValidator(_none_twice),
]
"""A pydantic field: the probes of a run, sorted by name, none twice."""
