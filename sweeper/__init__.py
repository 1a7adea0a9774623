"""What to run, where and when: the command line, specs, planning, scheduling.

import sweeper
sweeper.run("quickstart", set={"training.epochs": 2}).report("zero_stable")    # a DataFrame
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeper.sweep import Sweep, resume, run

__all__ = ["Sweep", "resume", "run"]


def __getattr__(name: str) -> Any:
    # The commands import this package too, and need little of it.
    if name in __all__:
        return getattr(import_module("sweeper.sweep"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
