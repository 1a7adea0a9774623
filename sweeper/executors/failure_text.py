"""What an exception says, whatever its class does, and however much it says."""

from __future__ import annotations

import traceback
from os import environ

from sweep_plugins.plain_text import LONGEST_ERROR, LONGEST_TRACEBACK, shortened
from sweep_plugins.url_secrets import without_secrets
from sweep_plugins.variable_secrets import without_values


def described(error: BaseException) -> str:
    """Such as "ValueError: no such layer"; the bare name of one that says nothing."""
    said = said_by(error)
    return f"{_class_of(error)}: {said}" if said else _class_of(error)


def said_by(error: BaseException) -> str:
    """The text of the exception."""
    try:
        # A plain string: of a class of the trainer's, the driver could not unpickle it.
        said = str.__str__(str(error))
        return shortened(said, LONGEST_ERROR, _clean)
    except BaseException as another:  # it is the trainer's class, and may do anything
        return f"(its text could not be made: {_class_of(another)})"


def traceback_of(error: BaseException) -> str:
    """The traceback as Python prints it, with the exceptions that led to this one."""
    try:
        lines = traceback.TracebackException.from_exception(error, compact=True).format()
        text = "".join(shortened(line, LONGEST_TRACEBACK // 10, _clean) for line in lines)
    except BaseException:  # a class of the trainer's, again: where it was raised is known still
        text = "".join(traceback.format_tb(error.__traceback__)) + described(error)
    return shortened(text, LONGEST_TRACEBACK, _clean)


def _clean(text: str) -> str:
    """Without passwords: neither those of URLs nor those that the environment holds."""
    return without_values(without_secrets(text), environ)


def _class_of(error: BaseException) -> str:
    return shortened(str(type.__getattribute__(type(error), "__name__")), LONGEST_ERROR // 10)
