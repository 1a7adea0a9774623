"""Schedules by name: how the learning rate changes while a run trains, known without torch.

Each is that of `torch.optim.lr_scheduler` of the same name, in closed form: a rate depends on how
far the training is, and on no rate before it, so that a run goes on anywhere. What plateau alone
depends on besides is what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sweep_plugins import UnknownNameError
from trainers.config.schedules.base import ScheduleConfig
from trainers.config.schedules.falling import CosineConfig, LinearConfig, PolynomialConfig
from trainers.config.schedules.one_cycle import OneCycleConfig
from trainers.config.schedules.plateau import PlateauConfig
from trainers.config.schedules.step_decay import StepDecayConfig
from trainers.errors import ConfigError

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
    name = given.get("name", "step")
    if not isinstance(name, str):
        raise ConfigError("name", f"{name!r} is not the name of a schedule")
    if name not in SCHEDULES:
        raise ConfigError("name", str(UnknownNameError("schedule", name, SCHEDULES)))
    return SCHEDULES[name]


def parse_schedule(given: Any) -> ScheduleConfig:
    """The config of a schedule from its name, or from a mapping of its name and options.

    Raises:
        pydantic.ValidationError: an option is unknown, or has a bad value.
        ConfigError: no such schedule; the message has the nearest.
        ValueError: neither a name nor a mapping.
    """
    if isinstance(given, ScheduleConfig):
        return given
    if isinstance(given, str):
        given = {"name": given}
    if not isinstance(given, dict):
        raise ValueError(f"{given!r} is no schedule: give its name, or {{name: ..., ...}}")
    return schedule_class(given).model_validate(given)
