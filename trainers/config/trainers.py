"""The functions that can train a run, as a spec's `trainer` names them."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from sweep_plugins import Registry, UnknownNameError

BUILT_IN_TRAINER = "trainers.train:train"
"""The name of image classification. Every run's id hashes it, so it stays as it is, wherever the
function is."""

TRAINERS: Registry[Callable[[Any], Any]] = Registry(
    "trainer",
    "sweep.trainers",
    {BUILT_IN_TRAINER: "trainers.training.train:train"},
    instance_of=FunctionType,
)
"""Functions of a job: the built-in one of a `trainers.config.job.TrainingJob`, all others of a
`trainers.own.Job`."""


TRAINER_NAME = r"^\w+(\.\w+)*:\w+$|^[\w.-]+$"
"""What a spec may say: a name, or "package.module:function"."""


def check_trainer(name: str) -> str:
    """The name of a trainer, or "module:function", which is imported where a run trains.

    Raises UnknownNameError.
    """
    if ":" not in name and name not in TRAINERS:
        raise UnknownNameError("trainer", name, [*TRAINERS, "module:function"])
    return name
