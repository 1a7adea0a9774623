"""Which of several values of a setting holds, and where it comes from.

An option or argument comes before a variable of the environment, that before `sweep.toml`, and that
before the default.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.errors import ResourceError
from sweeper.home import Home
from sweeper.settings.names import DEFAULTS, OF_RAY, VARIABLES, option_of

if TYPE_CHECKING:
    from sweeper.spec.source import SpecSource

FILE = "sweep.toml"


@dataclass(frozen=True)
class Settings:
    """What holds, by the names in DEFAULTS.

    Attributes:
        values: None for what has neither been given nor a default.
        origins: of each value: an option, a variable, a line of a file, or "default".
        file: the `sweep.toml` that was read; None for none.
        resources: what it says of them, as the part of a spec that comes before all others.
    """

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    file: Path | None = None
    resources: SpecSource | None = None

    @property
    def home(self) -> Home:
        """Where things lie. Raises RequestError as Home does."""
        given = self.values
        typed = self.typed("home", "db")
        return Home.at(Path(given["home"]), given["db"], given["storage"], typed)

    def typed(self, *names: str) -> str:
        """Those of these settings that were options of a command, or of all, to be typed again.

        Such as " --home elsewhere"; each after a space.
        """
        words = []
        for name in names or self.values:
            if self.origins[name] == option_of(name):
                match self.values[name]:
                    case True:
                        words.append(option_of(name))
                    case False:
                        words.append(option_of(f"no_{name}"))
                    case value:
                        words += [option_of(name), str(value)]
        return "".join(f" {shlex.quote(word)}" for word in words)

    @property
    def beneath(self) -> tuple[SpecSource, ...]:
        """What specs are laid over."""
        return () if self.resources is None else (self.resources,)


def resolve(
    given: Mapping[str, Any],
    beside: Path | None = None,
    origin: Callable[[str], str] = option_of,
    variables: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of a command.

    Args:
        given: what was said, by name; None for what was not.
        beside: the folder of a spec, where `sweep.toml` is looked for first.
        origin: where what was said comes from, by name.
        variables: of the environment; none for a command whose options have taken them already.

    Raises:
        RequestError: something in the file is wrong.
        ResourceError: the current folder was deleted.
    """
    values, origins = dict(DEFAULTS), dict.fromkeys(DEFAULTS, "default")
    path, resources = _find(beside), None
    if path is not None:
        from sweeper.settings.file import read_settings

        file = read_settings(path)
        resources = file.resources
        values |= file.values
        origins |= {name: str(place) for name, place in file.places.items()}
    for name, variable in VARIABLES.items():
        if value := (variables or {}).get(variable):
            values[name], origins[name] = value, variable
    for name, value in given.items():
        if value is not None:
            values[name], origins[name] = value, origin(name)
    if values["executor"] != "ray":
        for name in OF_RAY:
            if given.get(name) is None:  # the file means it for when Ray is used
                values[name], origins[name] = DEFAULTS[name], "default"
    return Settings(values, origins, path, resources)


def _find(beside: Path | None) -> Path | None:
    """The nearest `sweep.toml`; see `_folders`."""
    for folder in _folders(beside):
        path = folder / FILE
        with suppress(OSError):  # no folder, such as one with too long a name
            if path.exists():
                return _shown(path)
    return None


def _folders(beside: Path | None) -> Iterator[Path]:
    """Where it is looked for, the nearest first.

    From the spec's folder up to the current one, if that is above it; then, from the current one
    up to the root of the repository that it is in.
    """
    try:
        here = Path.cwd()
    except OSError as error:
        # Not only relative paths need it: torch cannot be loaded without.
        raise ResourceError(
            f"the current folder cannot be found ({error.strerror}); change to one that exists"
        ) from None
    if beside is not None:
        folder = Path(os.path.abspath(beside))
        yield folder
        if here in folder.parents:
            yield from folder.parents[: folder.parents.index(here)]
    yield here
    for above in here.parents if not (here / ".git").exists() else ():
        if any((folder / ".git").exists() for folder in (above, *above.parents)):
            yield above
        if (above / ".git").exists():
            return


def _shown(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
