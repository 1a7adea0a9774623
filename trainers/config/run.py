"""RunConfig: everything that decides the numbers of a run of image classification."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SerializeAsAny, field_validator, model_validator

from trainers.config.dataset import DatasetConfig
from trainers.config.probes import ProbedRun, Probes
from trainers.config.trainer_run import TrainerRun
from trainers.config.trainers import BUILT_IN_TRAINER, TRAINER_NAME, check_trainer
from trainers.config.training import TrainingConfig
from trainers.data.datasets import Dataset
from trainers.errors import ConfigError, TrainerError
from trainers.methods.booleans import boolean
from trainers.methods.scheme_config import SchemeConfig
from trainers.models import MODELS, Architecture, ModelOptions
from trainers.models.counting import NetworkCounts, count

Precision = Literal["fp64", "fp32", "ieee_fp32", "tf32", "bf16", "fp16"]
"""fp32 is torch's float32, which leaves it to a GPU's convolutions to round what they multiply to
TF32; ieee_fp32 rounds nothing to it, and tf32 matrix products too. fp64 is float64 throughout."""

_MULTIPLY_ADDS_WORTH_A_LAYER = 4e10
"""Forward multiply-adds in whose training time a network's graph is compiled, for each layer of it:
3 s on one core of a 2024 server, which trains 1.3e10 a second (benchmarks/compiling.py)."""


class RunConfig(TrainerRun):
    """The resolved config of one run of image classification.

    Made from what a spec gives for one point of its grid; see DatasetConfig and SchemeConfig for
    the short forms. Raises pydantic.ValidationError, or UnknownNameError for a name that no
    table has.

    Attributes:
        compile: True to train through a compiled graph, which rounds differently; None not to. A
            spec may also say "auto": True if the run would train for longer than compiling takes.
        probes: what is watched of the network while it trains; None for nothing. It changes no
            weight, but has to be there from the start: so it is part of a run's identity.
    """

    trainer: Annotated[str, AfterValidator(check_trainer)] = Field(
        default=BUILT_IN_TRAINER, pattern=TRAINER_NAME
    )
    model: SerializeAsAny[ModelOptions]
    scheme: SchemeConfig | None = None
    dataset: SerializeAsAny[DatasetConfig]
    training: TrainingConfig = TrainingConfig()
    precision: Precision = "fp32"
    compile: Literal[True, "auto"] | None = None
    probes: Probes | None = None

    @model_validator(mode="before")
    @classmethod
    def _default_scheme(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("scheme") is None:
            model = data.get("model")
            name = model.get("name") if isinstance(model, dict) else model
            if isinstance(name, str) and MODELS[name].default_scheme is not None:
                return {**data, "scheme": MODELS[name].default_scheme}
        return data

    @field_validator("model", mode="before")
    @classmethod
    def _options_of_the_architecture(cls, data: Any) -> Any:
        if isinstance(data, ModelOptions):
            return data
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            raise ValueError(f"{data!r} is not a model: give its name, or {{name: ...}}")
        return MODELS[data["name"]].options.model_validate(data)

    @field_validator("probes", mode="before")
    @classmethod
    def _none_or_some(cls, given: Any) -> Any:
        # One form for no probes: the one that is left out of the identity.
        return None if given in ([], ()) else given

    @field_validator("compile", mode="before")
    @classmethod
    def _is_compiled_or_not(cls, given: Any) -> Any:
        if given is None or given is False:
            return None
        return boolean(given, "auto")

    @model_validator(mode="after")
    def _model_fits_scheme(self) -> RunConfig:
        if (self.scheme is None) != (self.architecture.default_scheme is None):
            raise ConfigError(
                "scheme",
                f"{self.model.name} is no linear multistep method: remove scheme, or choose"
                f" {', '.join(filter(_takes_a_scheme, MODELS.own))}",
            )
        try:
            completed = self.architecture.complete(self.model, self.scheme)
        except ValueError as error:
            inside = error.path if isinstance(error, ConfigError) else ()
            raise ConfigError(("model", *inside), str(error)) from error
        object.__setattr__(self, "model", completed)
        return self

    @model_validator(mode="after")
    def _schedule_fits_images(self) -> RunConfig:
        if not self.dataset_facts.estimated or self.dataset.subset:
            if self.train_images < 1:
                raise ConfigError(
                    ("training", "lr_schedule", "validation"),
                    "validation leaves no image to train on",
                )
            try:
                self.training.lr_schedule.fit_steps(
                    self.training.epochs, self.training.steps(self.train_images)
                )
            except ConfigError as error:
                raise ConfigError(("training", "lr_schedule", *error.path), str(error)) from error
        return self

    @model_validator(mode="after")
    def _auto_is_decided(self) -> RunConfig:
        if self.processes > 1:
            if self.compile is True:
                raise ConfigError(
                    "compile",
                    "compile: true is for one process, and training.data_parallel is"
                    f" {self.processes}: remove one of them",
                )
            object.__setattr__(self, "compile", None)
        if self.compile == "auto":
            try:
                multiply_adds = self.multiply_adds_per_image
            except TrainerError as error:
                raise ConfigError("model", str(error)) from error
            trained = multiply_adds * self.train_images * self.training.epochs
            worth = trained > _MULTIPLY_ADDS_WORTH_A_LAYER * self.model.depth
            object.__setattr__(self, "compile", worth or None)
        return self

    @model_validator(mode="after")
    def _probes_fit(self) -> RunConfig:
        if self.probes is not None:
            facts = self.dataset_facts
            run = ProbedRun(
                epochs=self.training.epochs,
                test_images=None if facts.estimated else facts.test_images,
                model=self.model.name,
                scheme=None if self.scheme is None else str(self.scheme),
                learns_coefficients=self.architecture.learns_coefficients
                or (self.scheme is not None and self.scheme.learned is not None),
            )
            completed = tuple(probe.completed(run) for probe in self.probes)
            object.__setattr__(self, "probes", completed)
        return self

    @property
    def architecture(self) -> Architecture:
        """The entry of its model in MODELS."""
        return MODELS[self.model.name]

    @property
    def dataset_facts(self) -> Dataset:
        """Sizes and number of classes of its dataset."""
        return self.dataset.facts

    @property
    def counts(self) -> NetworkCounts:
        """Counts of the network; imports torch if it has not been counted yet."""
        if not self._counted:
            facts = self.dataset_facts
            image = {"channels": facts.channels, "classes": facts.classes, "size": facts.size}
            self._counted.append(count(self.architecture, self.model, self.scheme, **image))
        return self._counted[0]

    @cached_property
    def _counted(self) -> list[NetworkCounts]:
        """`counts`, once they are known; one list for all seeds."""
        return []

    @property
    def parameters(self) -> int:
        """Trainable parameters of the network."""
        return self.counts.parameters

    @property
    def multiply_adds_per_image(self) -> int:
        """Of one forward pass."""
        return self.counts.multiply_adds

    @property
    def train_images(self) -> int:
        """Images in one epoch; an estimate where the dataset's facts are."""
        images = self.dataset.subset or self.dataset_facts.train_images
        return images - self.training.validation_images(images)

    def with_seed(self, seed: int) -> Self:
        """The same training from another seed.

        Raises ValueError if it is no whole number from 0 to 2**53 - 1.
        """
        _ = self._counted  # one list for both
        return super().with_seed(seed)


def _takes_a_scheme(model: str) -> bool:
    return MODELS.shipped(model).default_scheme is not None


def parse_run(config: Mapping[str, Any]) -> TrainerRun:
    """The config of any run, as a database keeps it.

    Raises pydantic.ValidationError, or UnknownNameError for a name that no table has.
    """
    of_another = (
        isinstance(config, Mapping)
        and "model" not in config
        and config.get("trainer", BUILT_IN_TRAINER) != BUILT_IN_TRAINER
    )
    return (TrainerRun if of_another else RunConfig).model_validate(config)
