"""Rates that fall all the way to the end: by a cosine, a power, or a straight line."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field
from typing_extensions import override

from trainers.config.optimizers import LARGEST_RATE
from trainers.config.schedules.base import Moment, ScheduleConfig
from trainers.methods.fractions import Number


class CosineConfig(ScheduleConfig):
    """Half a cosine from lr to min_lr, which the end of the training would reach.

    Loshchilov and Hutter (2017), eq. 5, without restarts.
    """

    name: Literal["cosine"]
    min_lr: Number = Field(default=0.0, ge=0, le=LARGEST_RATE)

    @override
    def rate(self, lr: float, moment: Moment) -> float:
        """See the class."""
        return self.min_lr + (lr - self.min_lr) * (1 + math.cos(math.pi * moment.progress)) / 2


class PolynomialConfig(ScheduleConfig):
    """min_lr + (lr - min_lr) (1 - progress)^power."""

    name: Literal["polynomial"]
    power: Number = Field(default=1.0, gt=0, le=1000)
    min_lr: Number = Field(default=0.0, ge=0, le=LARGEST_RATE)

    @override
    def rate(self, lr: float, moment: Moment) -> float:
        """See the class."""
        left: float = (1 - moment.progress) ** self.power
        return self.min_lr + (lr - self.min_lr) * left


class LinearConfig(ScheduleConfig):
    """A straight line from lr to min_lr, which the end of the training would reach."""

    name: Literal["linear"]
    min_lr: Number = Field(default=0.0, ge=0, le=LARGEST_RATE)

    @override
    def rate(self, lr: float, moment: Moment) -> float:
        """See the class."""
        return self.min_lr + (lr - self.min_lr) * (1 - moment.progress)
