"""The recipe of a training: epochs, batches, optimizer, learning rates."""

from __future__ import annotations

from itertools import pairwise
from math import floor, inf
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator, model_validator

from sweep_plugins.schemes.exact_numbers import exact
from trainers.config.frozen import Frozen
from trainers.config.optimizers import LARGEST_RATE, OptimizerConfig, SgdConfig, parse_optimizer
from trainers.errors import ConfigError
from trainers.methods.fractions import Number, Whole, exact


class StepDecayConfig(Frozen):
    """The learning rate is multiplied by gamma after each milestone.

    Attributes:
        milestones: numbers of finished epochs. A spec may also give a fraction of all epochs,
            below 1 (1/2 of 160 is 80; rounded down, but not to 0). Those after one epoch, as 1/2
            and 3/4 of 2, are one milestone.
    """

    name: Literal["step"] = "step"
    milestones: tuple[Number, ...] = (0.5, 0.75)
    gamma: Number = Field(default=0.1, gt=0)

    @field_validator("milestones")
    @classmethod
    def _ascending(cls, milestones: tuple[float, ...]) -> tuple[float, ...]:
        for milestone in milestones:
            if milestone <= 0 or (milestone > 1 and milestone != int(milestone)):
                raise ValueError(
                    f"milestone {milestone:g} is neither a fraction of the epochs, between 0 and "
                    "1, nor a whole number of epochs"
                )
        return milestones


class TrainingConfig(Frozen):
    """The recipe. Defaults are those of ZeroSNet and LM-ResNet for CIFAR-10.

    Attributes:
        test_every: test every n epochs, and after the last one; None for every epoch. Weights
            do not depend on it, the best test accuracy does.
    """

    epochs: Whole = Field(default=160, ge=1, le=100_000)
    test_every: Whole | None = Field(default=None, ge=1)
    batch_size: Whole = Field(default=128, ge=2)
    optimizer: Annotated[SerializeAsAny[OptimizerConfig], BeforeValidator(parse_optimizer)] = (
        SgdConfig()
    )
    lr_schedule: StepDecayConfig = StepDecayConfig()

    @model_validator(mode="after")
    def _milestones_in_epochs(self) -> TrainingConfig:
        def finished(milestone: float) -> int:
            # At least one epoch at the full rate, however few there are.
            if milestone < 1:
                return max(1, floor(exact(milestone) * self.epochs))
            return int(milestone)

        given = [finished(milestone) for milestone in self.lr_schedule.milestones]
        if given != sorted(given):
            raise ConfigError(
                ("lr_schedule", "milestones"), f"milestones {given} (in epochs) do not ascend"
            )
        # After the last epoch none has an effect, and one more or less would be another run id.
        epochs = tuple(
            milestone
            for before, milestone in pairwise([0, *given])
            if milestone >= self.epochs or milestone != before
        )
        if epochs == self.lr_schedule.milestones:
            return self
        schedule = self.lr_schedule.model_copy(update={"milestones": epochs})
        # A frozen model is completed when it is created.
        object.__setattr__(self, "lr_schedule", schedule)
        return self

    @model_validator(mode="after")
    def _rates_stay_in_range(self) -> TrainingConfig:
        try:
            last = self.learning_rate(self.epochs)
        except OverflowError:
            last = inf
        if last > LARGEST_RATE:
            gamma = self.lr_schedule.gamma
            raise ConfigError(
                ("lr_schedule", "gamma"),
                f"gamma {gamma:g} makes the learning rate grow beyond {LARGEST_RATE:g}",
            )
        return self

    @model_validator(mode="after")
    def _one_name_for_the_same_tests(self) -> TrainingConfig:
        if self.test_every is not None:
            every = min(self.test_every, self.epochs)
            object.__setattr__(self, "test_every", every if every > 1 else None)
        return self

    def is_tested(self, epoch: int) -> bool:
        """Whether there is a test after this epoch, counted from 1."""
        return epoch == self.epochs or epoch % (self.test_every or 1) == 0

    @property
    def tests(self) -> int:
        """How many epochs have a test after them."""
        return -(-self.epochs // (self.test_every or 1))

    def learning_rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 1."""
        passed = sum(milestone < epoch for milestone in self.lr_schedule.milestones)
        return self.optimizer.lr * self.lr_schedule.gamma**passed
