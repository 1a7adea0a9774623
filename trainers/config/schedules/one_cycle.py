"""Rates that rise, and then fall for the rest of the training."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator
from typing_extensions import override

from trainers.config.schedules.base import Moment, ScheduleConfig
from trainers.errors import ConfigError
from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Number


class OneCycleConfig(ScheduleConfig):
    """Up to lr and down again (Smith and Topin 2018), as torch's OneCycleLR has it.

    Momentum is left as it is. The last epoch or step has the final rate.

    Attributes:
        pct_start: the part of the training in which the rate rises.
        div_factor: the first rate is lr divided by this.
        final_div_factor: the last rate is the first one divided by this.
        anneal_strategy: "cos" or "linear".
        three_phase: down as long as up, and then on to the final rate.
    """

    name: Literal["one_cycle"]
    pct_start: Number = Field(default=0.3, gt=0, lt=1)
    div_factor: Number = Field(default=25.0, ge=1, le=1e9)
    final_div_factor: Number = Field(default=1e4, ge=1, le=1e9)
    anneal_strategy: Literal["cos", "linear"] = "cos"
    three_phase: Boolean = False

    @model_validator(mode="after")
    def _phases_fit(self) -> OneCycleConfig:
        if self.three_phase and self.pct_start >= 0.5:
            raise ConfigError(
                "pct_start",
                f"pct_start {self.pct_start:g} leaves no third phase: with three_phase it is below"
                " 1/2",
            )
        return self

    @override
    def rate(self, lr: float, moment: Moment) -> float:
        """See the class."""
        place, count = max(0, moment.done - moment.warmup), moment.total - moment.warmup
        first = lr / self.div_factor
        last = first / self.final_div_factor
        top, end = self.pct_start * count - 1, count - 1
        phases = [(top, first, lr), (end, lr, last)]
        if self.three_phase:
            phases[1:] = [(2 * top, lr, first), (end, first, last)]
        begin = 0.0
        for until, start, stop in phases:
            if place <= until or until == end:
                part = min(1.0, (place - begin) / (until - begin)) if until > begin else 1.0
                return start + (stop - start) * self._annealed(part)
            begin = until
        raise AssertionError("the last phase takes what is left")

    def _annealed(self, part: float) -> float:
        return part if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * part)) / 2
