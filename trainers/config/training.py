"""The recipe of a training: epochs, batches, optimizer, learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Annotated

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from sweep_plugins.schemes.exact_numbers import exact, to_float
from trainers.config.frozen import Frozen
from trainers.config.optimizers import LARGEST_RATE, OPTIMIZER, OptimizerConfig, SgdConfig
from trainers.config.schedules import SCHEDULE
from trainers.config.schedules.base import ScheduleConfig
from trainers.config.schedules.plateau import PlateauConfig
from trainers.config.schedules.step_decay import StepDecayConfig
from trainers.errors import ConfigError
from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Number, Whole


class TrainingConfig(Frozen):
    """The recipe. Defaults are those of ZeroSNet and LM-ResNet for CIFAR-10.

    Attributes:
        test_every: test every n epochs, and after the last one; None for every epoch. Weights
            do not depend on it, the best test accuracy does.
        batch_size: images of one forward pass, over which normalisation averages; of each process
            where there are several.
        data_parallel: processes, each with a copy of the network and a batch of its own, whose
            gradients are averaged in every step; None for 1.
        sync_batch_norm: normalise by the batches of all processes together; None for each by its
            own.
        accumulation: batches whose gradients make one step of the optimizer; the last step of an
            epoch has those that are left. Each image counts the same. None for 1.
        clip_norm: the largest L2 norm that the gradient of a step has, of all parameters together;
            None for any.
        clip_value: the largest size of each of its entries; None for any.
        label_smoothing: the part of a label that is spread over all classes (Szegedy et al. 2016).
        mixup: alpha of the Beta(alpha, alpha) from which the share of one image in the mean of two
            is drawn, once a batch (Zhang et al. 2018); None for no mixing.
        lr_batch: images a step for which the optimizer's lr is said; where a step has others, the
            rate is in proportion (Goyal et al. 2017). The lr becomes the rate that it stands for,
            and this None: a training has one name.
        ema_decay: how much the weights after a step count in their exponential moving average, to
            1 for those after the next; the average is what is measured and stored. None to measure
            the weights themselves.
    """

    epochs: Whole = Field(default=160, ge=1, le=100_000)
    test_every: Whole | None = Field(default=None, ge=1)
    batch_size: Whole = Field(default=128, ge=2)
    data_parallel: Whole | None = Field(default=None, ge=1, le=1_024)
    sync_batch_norm: Boolean | None = None
    accumulation: Whole | None = Field(default=None, ge=1, le=1_000_000)
    clip_norm: Number | None = Field(default=None, gt=0, le=LARGEST_RATE)
    clip_value: Number | None = Field(default=None, gt=0, le=LARGEST_RATE)
    label_smoothing: Number | None = Field(default=None, ge=0, lt=1)
    mixup: Number | None = Field(default=None, ge=0, le=1000)
    ema_decay: Number | None = Field(default=None, ge=0, lt=1)
    lr_batch: Whole | None = Field(default=None, ge=1, le=2**31)
    optimizer: Annotated[SerializeAsAny[OptimizerConfig], BeforeValidator(OPTIMIZER.parse)] = (
        SgdConfig()
    )
    lr_schedule: Annotated[SerializeAsAny[ScheduleConfig], BeforeValidator(SCHEDULE.parse)] = (
        StepDecayConfig()
    )

    @model_validator(mode="after")
    def _one_name_for_what_changes_nothing(self) -> TrainingConfig:
        # A frozen model is completed when it is created.
        for key, neutral in (
            ("accumulation", 1), ("label_smoothing", 0), ("mixup", 0), ("ema_decay", 0),
            ("data_parallel", 1), ("sync_batch_norm", False),
        ):  # fmt: skip
            if getattr(self, key) == neutral:
                object.__setattr__(self, key, None)
        if self.data_parallel is None:
            # Of one process the batch is its own.
            object.__setattr__(self, "sync_batch_norm", None)
        if self.mixup is not None and self.processes > 1:
            raise ConfigError(
                "mixup",
                "mixup mixes images of one batch, of which each process of data_parallel has a part"
                " only: remove one of them",
            )
        if self.clip_norm is not None and self.clip_value is not None:
            raise ConfigError("clip_value", "clip_value stands beside clip_norm: keep one")
        return self

    @model_validator(mode="after")
    def _rate_is_of_the_batch(self) -> TrainingConfig:
        if self.lr_batch is not None:
            if "lr" not in self.optimizer.model_fields_set:
                raise ConfigError(
                    "lr_batch",
                    f"lr_batch {self.lr_batch} is what lr is for, and there is none: add"
                    " optimizer: {lr: ...}",
                )
            lr = to_float(exact(self.optimizer.lr) * self.images_a_step / self.lr_batch)
            if not 0 < lr <= LARGEST_RATE:
                raise ConfigError(
                    "lr_batch",
                    f"lr {self.optimizer.lr:g} for lr_batch {self.lr_batch} is {lr:g} for steps of"
                    f" {self.images_a_step}: a rate is above 0, and {LARGEST_RATE:g} at most",
                )
            scaled = self.optimizer.model_copy(update={"lr": lr})
            object.__setattr__(self, "optimizer", scaled)
            object.__setattr__(self, "lr_batch", None)
        return self

    @model_validator(mode="after")
    def _schedule_fits_epochs(self) -> TrainingConfig:
        try:
            fitted = self.lr_schedule.fitted(self.optimizer.lr, self.epochs)
        except ConfigError as error:
            raise ConfigError(("lr_schedule", *error.path), str(error)) from error
        object.__setattr__(self, "lr_schedule", fitted)
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

    def validation_images(self, images: int) -> int:
        """How many of the training images are left out of training."""
        if not isinstance(self.lr_schedule, PlateauConfig):
            return 0
        return max(1, floor(exact(self.lr_schedule.validation) * images))

    @property
    def processes(self) -> int:
        """How many train one network together."""
        return self.data_parallel or 1

    @property
    def images_a_step(self) -> int:
        """Of the optimizer, of all processes together."""
        return self.batch_size * (self.accumulation or 1) * self.processes

    def steps(self, images: int) -> int:
        """Steps of the optimizer in an epoch of so many images."""
        return -(-images // self.images_a_step)

    def learning_rate(
        self, epoch: int, step: int = 0, steps: int = 1, validations: Sequence[float] = ()
    ) -> float:
        """The learning rate of a step.

        Args:
            epoch: counted from 1.
            step: of the optimizer within the epoch, counted from 0.
            steps: in each epoch.
            validations: what a plateau is found in, one for each finished epoch.
        """
        return self.lr_schedule.learning_rate(
            self.optimizer.lr,
            self.epochs,
            epoch=epoch,
            step=step,
            steps=steps,
            validations=validations,
        )
