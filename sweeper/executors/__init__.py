"""Where runs can execute."""

from __future__ import annotations

from sweep_plugins import Registry
from sweeper.executors.base import Executor, ExecutorOptions

EXECUTORS: Registry[type[Executor]] = Registry(
    "executor",
    "sweep.executors",
    {
        "ray": "sweeper.executors.ray:RayExecutor",
        "inline": "sweeper.executors.inline:InlineExecutor",
    },
    subclass_of=Executor,
)
"""By name; a module is imported only when its executor is used."""


__all__ = ["EXECUTORS", "Executor", "ExecutorOptions"]
