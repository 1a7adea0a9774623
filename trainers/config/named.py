"""Parts of a config that are chosen by a name, each with options of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sweep_plugins import UnknownNameError
from trainers.config.frozen import Frozen
from trainers.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound=Frozen)


@dataclass(frozen=True)
class Choice(Generic[ConfigT]):
    """Such a part.

    Attributes:
        kind: what is chosen, with its article: "an optimizer".
        classes: what validates the options of each, by its name.
        default: the name where none is given.
        example: of options.
        unfit: other names that users know, and why there is no such config.
    """

    kind: str
    classes: Mapping[str, type[ConfigT]]
    default: str
    example: str
    unfit: Mapping[str, str] = field(default_factory=dict)

    def class_of(self, given: Mapping[str, Any]) -> type[ConfigT]:
        """What validates these options.

        Raises ConfigError if their name is that of none; the message has the nearest.
        """
        name = given.get("name", self.default)
        if not isinstance(name, str):
            raise ConfigError("name", f"{name!r} is not the name of {self.kind}")
        if name in self.unfit:
            known = ", ".join(sorted(self.classes))
            raise ConfigError("name", f"{self._noun} {name!r} {self.unfit[name]} (known: {known})")
        if name not in self.classes:
            raise ConfigError("name", str(UnknownNameError(self._noun, name, self.classes)))
        return self.classes[name]

    def parse(self, given: Any) -> ConfigT:
        """The config from its name, or from a mapping of its name and options.

        Raises:
            pydantic.ValidationError: an option is unknown, or has a bad value.
            ConfigError: no such name; the message has the nearest.
            ValueError: neither a name nor a mapping.
        """
        for known in self.classes.values():
            if isinstance(given, known):
                return given
        options = {"name": given} if isinstance(given, str) else given
        if not isinstance(options, dict):
            raise ValueError(
                f"{given!r} is no {self._noun}: give its name, or {{name: ..., {self.example}}}"
            )
        return self.class_of(options).model_validate(options)

    @property
    def _noun(self) -> str:
        return self.kind.partition(" ")[2]
