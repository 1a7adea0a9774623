"""Schedules by name: how the learning rate changes while a run trains, known without torch.

Each is that of `torch.optim.lr_scheduler` of the same name, in closed form: a rate depends on how
far the training is, and on no rate before it, so that a run goes on anywhere. What plateau alone
depends on besides is what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainers.config.named import class_named, options_given
from trainers.config.schedules.base import ScheduleConfig
from trainers.config.schedules.falling import CosineConfig, LinearConfig, PolynomialConfig
from trainers.config.schedules.one_cycle import OneCycleConfig
from trainers.config.schedules.plateau import PlateauConfig
from trainers.config.schedules.step_decay import StepDecayConfig

SCHEDULES: Mapping[str, type[ScheduleConfig]] = {
    "step": StepDecayConfig,
    "cosine": CosineConfig,
    "linear": LinearConfig,
    "polynomial": PolynomialConfig,
    "plateau": PlateauConfig,
    "one_cycle": OneCycleConfig,
}


def schedule_class(given: Mapping[str, Any]) -> type[ScheduleConfig]:
    """What validates these options. Raises ConfigError if their name is that of no schedule."""
    return class_named("a schedule", given, "step", SCHEDULES)


def parse_schedule(given: Any) -> ScheduleConfig:
    """The config of a schedule from its name, or from a mapping of its name and options.

    Raises:
        pydantic.ValidationError: an option is unknown, or has a bad value.
        ConfigError: no such schedule; the message has the nearest.
        ValueError: neither a name nor a mapping.
    """
    if isinstance(given, ScheduleConfig):
        return given
    options = options_given("a schedule", given, "...")
    return schedule_class(options).model_validate(options)
