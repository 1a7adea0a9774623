"""Rates that fall when validation improves no more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from typing_extensions import override

from trainers.config.optimizers import LARGEST_RATE
from trainers.config.schedules.base import Moment, ScheduleConfig
from trainers.methods.fractions import Number, Whole


class PlateauConfig(ScheduleConfig):
    """The rate is multiplied by factor when validation has not improved for more than patience
    epochs, as torch's ReduceLROnPlateau does it.

    Attributes:
        validation: the part of the training images that is left out of training, and measured
            after each epoch.
        metric: what of them is measured.
        threshold: by what part of the best value so far another one has to be better.
        cooldown: epochs after a reduction that do not count.
    """

    name: Literal["plateau"]
    validation: Number = Field(default=0.1, gt=0, lt=1)
    metric: Literal["loss", "accuracy"] = "loss"
    factor: Number = Field(default=0.1, gt=0, lt=1)
    patience: Whole = Field(default=10, ge=0)
    threshold: Number = Field(default=1e-4, ge=0, lt=1)
    cooldown: Whole = Field(default=0, ge=0)
    min_lr: Number = Field(default=0.0, ge=0, le=LARGEST_RATE)

    @property
    @override
    def changes_by_step(self) -> bool:
        """All steps of an epoch have one rate."""
        return False

    @override
    def rate(self, lr: float, moment: Moment) -> float:
        """See the class."""
        reduced: float = lr * self.factor ** self.reductions(moment.validations)
        return max(self.min_lr, reduced)

    def reductions(self, validations: Sequence[float]) -> int:
        """How often the rate is reduced after these measurements."""
        lower = self.metric == "loss"
        best = math.inf if lower else -math.inf
        bad = resting = reduced = 0
        for value in validations:
            # A loss that is not finite is no improvement.
            if (
                value < best * (1 - self.threshold)
                if lower
                else value > best * (1 + self.threshold)
            ):
                best, bad = value, 0
            else:
                bad += 1
            if resting:
                resting, bad = resting - 1, 0
            if bad > self.patience:
                bad, resting, reduced = 0, self.cooldown, reduced + 1
        return reduced
