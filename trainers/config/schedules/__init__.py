"""Schedules by name: how the learning rate changes while a run trains, known without torch.

Each is that of `torch.optim.lr_scheduler` of the same name, in closed form: a rate depends on how
far the training is, and on no rate before it, so that a run goes on anywhere. What plateau alone
depends on besides is what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping

from trainers.config.named import Choice
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

SCHEDULE = Choice("a schedule", SCHEDULES, "step", "...")
"""Of a recipe."""
