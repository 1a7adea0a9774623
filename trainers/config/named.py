"""Parts of a config that are chosen by a name: which class has their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from sweep_plugins import UnknownNameError
from trainers.config.frozen import Frozen
from trainers.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound=Frozen)


def class_named(
    kind: str, given: Mapping[str, Any], default: str, classes: Mapping[str, type[ConfigT]]
) -> type[ConfigT]:
    """What validates these options of a kind such as "a schedule".

    Raises ConfigError if their name is that of none; the message has the nearest.
    """
    name = given.get("name", default)
    if not isinstance(name, str):
        raise ConfigError("name", f"{name!r} is not the name of {kind}")
    if name not in classes:
        raise ConfigError("name", str(UnknownNameError(kind.partition(" ")[2], name, classes)))
    return classes[name]


def options_given(kind: str, given: Any, example: str) -> dict[str, Any]:
    """A name, or a mapping of a name and options, as such a mapping.

    Raises ValueError, with an `example` of options, for anything else.
    """
    if isinstance(given, str):
        return {"name": given}
    if not isinstance(given, dict):
        noun = kind.partition(" ")[2]
        raise ValueError(f"{given!r} is no {noun}: give its name, or {{name: ..., {example}}}")
    return given
