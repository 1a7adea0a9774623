"""Where runs can execute."""

from __future__ import annotations

import importlib

from sweeper.executors.base import Conditions, Executor
from trainers.registry import Registry

EXECUTORS: Registry[str] = Registry(
    "executor",
    "sweep.executors",
    {
        "ray": "sweeper.executors.ray:RayExecutor",
        "inline": "sweeper.executors.inline:InlineExecutor",
    },
)
"""Names to "module:class"; a module is imported only when its executor is used."""


def executor_class(name: str) -> type[Executor]:
    """Raises UnknownNameError for a name that EXECUTORS lacks."""
    module, _, attribute = EXECUTORS[name].partition(":")
    found: type[Executor] = getattr(importlib.import_module(module), attribute)
    return found


__all__ = ["EXECUTORS", "Conditions", "Executor", "executor_class"]
