"""Finding the function that a spec's `trainer` names."""

from __future__ import annotations

import inspect
import pkgutil
import socket
from collections.abc import Callable
from typing import Any

from sweep_plugins import PluginError, import_error
from trainers.config.trainers import TRAINERS
from trainers.errors import TrainerError

_NO_FUNCTIONS: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (inspect.isclass, "a class"),
    (inspect.iscoroutinefunction, "an async function"),
    (inspect.isgeneratorfunction, "a generator"),
    (inspect.isasyncgenfunction, "an async generator"),
)


def load_trainer(name: str) -> Callable[[Any], Any]:
    """The trainer of this name.

    Raises PluginError for one of a plug-in, and TrainerError for any other, that cannot be imported
    or is no function of one argument.
    """
    known = name in TRAINERS
    try:
        found = TRAINERS[name] if known else pkgutil.resolve_name(name)
    except (Exception, SystemExit) as error:  # importing it may do anything
        if known and isinstance(error, PluginError):
            raise
        raise TrainerError(
            f"trainer {name!r} cannot be imported on {socket.gethostname()}: {import_error(error)}"
        ) from error
    if not callable(found):
        raise TrainerError(f"trainer {name!r} is no function: {found!r:.80}")
    for is_one, what in _NO_FUNCTIONS:
        if is_one(found):
            raise TrainerError(f"trainer {name!r} is {what}, where def train(job) is expected")
    try:
        inspect.signature(found).bind(None)
    except (TypeError, ValueError) as error:
        raise TrainerError(
            f"trainer {name!r} cannot be called with a job alone ({error}): it is a function of one"
            " argument, def train(job)"
        ) from error
    trainer: Callable[[Any], Any] = found
    return trainer
