"""The columns that results know of before any run has them are those that a config may have."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType
from typing import get_args

from pydantic import BaseModel

from results.queries.config_options import CONFIG_OPTIONS
from trainers.config.dataset import config_class
from trainers.config.optimizers import OPTIMIZERS
from trainers.config.run import RunConfig
from trainers.config.schedules import SCHEDULES
from trainers.data.datasets import DATASETS
from trainers.models import MODELS


def paths(config: type[BaseModel], at: str = "") -> Iterator[str]:
    """What a config has, as paths through the configs that are its parts."""
    for name, field in config.model_fields.items():
        kinds = get_args(field.annotation) or (field.annotation,)
        parts = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        for part in parts:
            yield from paths(part, f"{at}{name}.")
        if set(kinds) - {*parts, NoneType}:
            yield f"{at}{name}"


def test_every_option_of_a_run_of_ours_is_known_to_the_results() -> None:
    # Nobody asks for the options and the code of others where no run has any.
    known = set(paths(RunConfig)) - {"seed", "options", "source", "plugins"}
    for model in MODELS.own:
        known |= set(paths(MODELS.shipped(model).options, "model."))
    for dataset in DATASETS.own:
        known |= set(paths(config_class(dataset), "dataset."))
    for optimizer in OPTIMIZERS.values():
        known |= set(paths(optimizer, "training.optimizer."))
    for schedule in SCHEDULES.values():
        known |= set(paths(schedule, "training.lr_schedule."))
    assert set(CONFIG_OPTIONS) == known
