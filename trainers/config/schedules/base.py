"""What all schedules of learning rates have in common: epochs or steps, and the warm-up."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from trainers.config.frozen import Frozen
from trainers.errors import ConfigError
from trainers.methods.fractions import Number, Whole


@dataclass(frozen=True)
class Moment:
    """Where in a training a rate is asked for; all counts are of epochs, or all of steps.

    Attributes:
        done: how many are over.
        warmup: how many the learning rate rises for at first.
        total: how many there are in all.
        per_epoch: how many an epoch has: 1, or its steps.
        validations: what was measured after each finished epoch that followed the warm-up.
    """

    done: int
    warmup: int
    total: int
    per_epoch: int
    validations: Sequence[float] = ()

    @property
    def progress(self) -> float:
        """How much of what follows the warm-up is over, from 0 to 1."""
        return max(0, self.done - self.warmup) / max(1, self.total - self.warmup)


class ScheduleConfig(Frozen):
    """A schedule of learning rates; subclasses add their options.

    During the warm-up the rate rises linearly from `warmup_start` times the rate with which the
    schedule begins. What a schedule says of a whole training, it says of what follows the warm-up;
    milestones are counted from the start of the training all the same.

    Attributes:
        by: "step" for a new rate at each step of the optimizer, None for one in each epoch.
        warmup_epochs, warmup_steps: how long the warm-up lasts; one of them, or None for none.
        warmup_start: by what the rate is multiplied where the warm-up begins.
        rate_at: "end" to train an epoch or step at the rate which is reached where it ends, as
            ZeroSNet's released code does on ImageNet; None, at the rate with which it begins, as
            torch's schedulers do. Milestones and plateaus are where they are all the same.
    """

    model_config = ConfigDict(defer_build=True)  # built when it is first asked for

    name: str
    by: Literal["epoch", "step"] | None = None
    warmup_epochs: Whole | None = Field(default=None, ge=0)
    warmup_steps: Whole | None = Field(default=None, ge=0)
    warmup_start: Number | None = Field(default=None, ge=0, le=1)
    rate_at: Literal["begin", "end"] | None = None

    @abstractmethod
    def rate(self, lr: float, moment: Moment) -> float:
        """The learning rate of an optimizer whose `lr` is this."""

    @property
    def changes_by_step(self) -> bool:
        """Whether a rate by step differs from a rate by epoch, leaving the warm-up aside."""
        return True

    @model_validator(mode="after")
    def _one_name_for_the_same_rates(self) -> ScheduleConfig:
        # A frozen model is completed when it is created.
        for key in ("warmup_epochs", "warmup_steps"):
            if getattr(self, key) == 0:
                object.__setattr__(self, key, None)
        if self.warmup_epochs and self.warmup_steps:
            raise ConfigError("warmup_steps", "warmup_steps stands beside warmup_epochs: keep one")
        if self.warmup_steps and self.by != "step":
            raise ConfigError("warmup_steps", "warmup_steps needs by: step; or give warmup_epochs")
        warms_up = self.warmup_epochs or self.warmup_steps
        start = 0.1 if self.warmup_start is None else self.warmup_start
        object.__setattr__(self, "warmup_start", start if warms_up else None)
        constant = not (warms_up or self.changes_by_step)
        if self.by == "epoch" or constant:
            object.__setattr__(self, "by", None)
        if self.rate_at == "begin" or constant:
            object.__setattr__(self, "rate_at", None)
        return self

    def fitted(self, lr: float, epochs: int) -> ScheduleConfig:
        """The schedule of a training of so many epochs.

        Raises ConfigError if it does not fit them, or the rate.
        """
        if self.warmup_epochs and self.warmup_epochs >= epochs:
            raise ConfigError(
                "warmup_epochs",
                f"warmup_epochs {self.warmup_epochs} leaves nothing of {epochs} epochs",
            )
        least: float = getattr(self, "min_lr", 0)
        if least > lr:
            raise ConfigError("min_lr", f"min_lr {least:g} is above the optimizer's lr, {lr:g}")
        return self

    def fit_steps(self, epochs: int, steps: int) -> None:
        """Raises ConfigError if the schedule does not fit the steps that each epoch has."""
        total = epochs * steps
        if self.warmup_steps and self.warmup_steps >= total:
            raise ConfigError(
                "warmup_steps",
                f"warmup_steps {self.warmup_steps} leaves nothing of {total} steps in {epochs}"
                " epochs",
            )

    def learning_rate(
        self,
        lr: float,
        epochs: int,
        *,
        epoch: int,
        step: int = 0,
        steps: int = 1,
        validations: Sequence[float] = (),
    ) -> float:
        """The learning rate of a step.

        Args:
            lr: the optimizer's.
            epochs: of the training.
            epoch: counted from 1.
            step: within the epoch, counted from 0.
            steps: in each epoch.
            validations: what was measured after each finished epoch.
        """
        per_epoch, done = 1, epoch - 1
        if self.by == "step":
            per_epoch, done = steps, (epoch - 1) * steps + step
        warmup = self.warmup_steps or (self.warmup_epochs or 0) * per_epoch
        warm_epochs = -(-warmup // per_epoch)
        reached = done + 1 if self.rate_at == "end" else done
        asked = reached if self.changes_by_step else done
        moment = Moment(asked, warmup, epochs * per_epoch, per_epoch, validations[warm_epochs:])
        if reached >= warmup:
            return self.rate(lr, moment)
        start = self.warmup_start or 0.0
        return self.rate(lr, moment) * (start + (1 - start) * reached / warmup)
