"""What a spec can say of each probe. Units and layers of the results are in docs/probes.md."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from trainers.methods.fractions import Whole

if TYPE_CHECKING:
    from trainers.config.run import RunConfig


class ProbeConfig(BaseModel, ABC):
    """Base of the configs: frozen, no unknown keys. A subclass fixes `probe`, its key in PROBES."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    probe: str

    def completed(self, config: RunConfig) -> Self:
        """The same, in the one form that it has for this run.

        Raises:
            ValueError: the run has nothing to measure.
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

    def completed(self, config: RunConfig) -> Self:
        """Never on the way is every so many epochs as there are."""
        return self.model_copy(update={"every": min(self.every, config.training.epochs)})

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
    by_class: bool = Field(default=False, strict=True)


class ConditionNumbers(RepeatedProbe):
    """Condition numbers and extreme singular values of convolutions; kappa of blocks."""

    probe: Literal["condition_numbers"] = "condition_numbers"


class FeatureNorms(RepeatedProbe):
    """Mean norms of the states that leave the stem and each block.

    Attributes:
        images: test images, or as many as there are.
    """

    probe: Literal["feature_norms"] = "feature_norms"
    images: Whole = Field(default=256, ge=1)

    def completed(self, config: RunConfig) -> Self:
        """More images than there are, are all of them."""
        completed, facts = super().completed(config), config.dataset_facts
        if facts.estimated:
            return completed
        return completed.model_copy(update={"images": min(self.images, facts.test_images)})


class LearnedCoefficients(RepeatedProbe):
    """The coefficients that each block learns."""

    probe: Literal["learned_coefficients"] = "learned_coefficients"

    def completed(self, config: RunConfig) -> Self:
        """Raises ValueError for a network that learns none."""
        scheme = config.scheme
        if not config.architecture.learns_coefficients and (
            scheme is None or scheme.learned is None
        ):
            # Its first word tells a spec's reader which key is meant.
            raise ValueError(
                f"probes has learned_coefficients, but {config.model.name} learns none"
                + (
                    ": remove the probe, or choose a model that does"
                    if scheme is None
                    else f" with the scheme {scheme}: add trainable: true to the scheme, or remove"
                    " the probe"
                )
            )
        return super().completed(config)


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

    def is_measured(self, epoch: int, *, last: bool) -> bool:
        return last and epoch > 0
