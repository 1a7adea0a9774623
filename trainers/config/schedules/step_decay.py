"""Rates that fall at milestones."""

from __future__ import annotations

import math
from itertools import pairwise
from math import floor
from typing import Literal

from pydantic import Field, field_validator
from typing_extensions import override

from sweep_plugins.schemes.exact_numbers import exact
from trainers.config.optimizers import LARGEST_RATE
from trainers.config.schedules.base import Moment, ScheduleConfig
from trainers.errors import ConfigError
from trainers.methods.fractions import Number


class StepDecayConfig(ScheduleConfig):
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

    @property
    @override
    def changes_by_step(self) -> bool:
        """All steps of an epoch have one rate."""
        return False

    @override
    def fitted(self, lr: float, epochs: int) -> ScheduleConfig:
        """With milestones in epochs."""
        super().fitted(lr, epochs)

        def finished(milestone: float) -> int:
            # At least one epoch at the full rate, however few there are.
            if milestone < 1:
                return max(1, floor(exact(milestone) * epochs))
            return int(milestone)

        given = [finished(milestone) for milestone in self.milestones]
        if given != sorted(given):
            raise ConfigError("milestones", f"milestones {given} (in epochs) do not ascend")
        if given and given[0] < (self.warmup_epochs or 0):
            raise ConfigError(
                "milestones",
                f"milestone {given[0]} is inside the warm-up of {self.warmup_epochs} epochs",
            )
        # After the last epoch none has an effect, and one more or less would be another run id.
        milestones = tuple(
            milestone
            for before, milestone in pairwise([0, *given])
            if milestone >= epochs or milestone != before
        )
        try:
            last = lr * self.gamma ** sum(milestone < epochs for milestone in milestones)
        except OverflowError:
            last = math.inf
        if last > LARGEST_RATE:
            raise ConfigError(
                "gamma",
                f"gamma {self.gamma:g} makes the learning rate grow beyond {LARGEST_RATE:g}",
            )
        if milestones == self.milestones:
            return self
        return self.model_copy(update={"milestones": milestones})

    @override
    def fit_steps(self, epochs: int, steps: int) -> None:
        """Milestones come after the warm-up."""
        super().fit_steps(epochs, steps)
        warmup = self.warmup_steps or 0
        if self.milestones and self.milestones[0] * steps < warmup:
            raise ConfigError(
                "milestones",
                f"milestone {self.milestones[0]:g} is inside the warm-up of {warmup} steps"
                f" ({steps} in an epoch)",
            )

    @override
    def rate(self, lr: float, moment: Moment) -> float:
        """Piecewise constant."""
        passed = sum(m * moment.per_epoch <= moment.done for m in self.milestones)
        rate: float = lr * self.gamma**passed
        return rate
