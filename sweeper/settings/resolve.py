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

from sweeper.errors import RequestError, ResourceError
from sweeper.home import Home, expanded
from sweeper.settings.names import DEFAULTS, OF_RAY, PATHS, VARIABLES, option_of

if TYPE_CHECKING:
    from sweeper.spec.source import SpecSource

FILE = "sweep.toml"


@dataclass(frozen=True)
class Settings:
    """What holds, by the names in DEFAULTS.

    Attributes:
        values: None for what has neither been given nor a default.
        origins: of each value: an option, a variable, a line of a file, or "default".
        here: what would hold for a command in the current folder that says nothing.
        file: the `sweep.toml` that was read; None for none.
        resources: what it says of them, as the part of a spec that comes before all others.
    """

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    here: Mapping[str, Any]
    file: Path | None = None
    resources: SpecSource | None = None

    @property
    def home(self) -> Home:
        """Where things lie. Raises RequestError as Home does."""
        given = self.values
        options = self.as_options("home", "db")
        return Home.at(Path(given["home"]), given["db"], given["storage"], options)

    def as_options(self, *names: str) -> str:
        """Those of these settings, or of all, that another command here has to be told.

        They were options of this one, or stand in a `sweep.toml` that only its spec leads to. Such
        as " --home elsewhere"; each after a space.
        """
        words = []
        for name in names or self.values:
            if self.origins[name] != option_of(name) and self._holds_here(name):
                continue
            match self.values[name]:
                case True:
                    words.append(option_of(name))
                case False:
                    words.append(option_of(f"no_{name}"))
                case None if name == "db":
                    words += [option_of(name), Home.at(Path(self.values["home"])).database]
                case None:
                    pass  # no option says so
                case value:
                    words += [option_of(name), _from_here(str(value))]
        return "".join(f" {shlex.quote(word)}" for word in words)

    def _holds_here(self, name: str) -> bool:
        given, here = self.values[name], self.here[name]
        if name in PATHS and given is not None and here is not None:
            return _absolute(given) == _absolute(here)
        return bool(given == here)

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
    here = dict(values) if beside is None else {**DEFAULTS, **_values_here(path, values)}
    for name, variable in VARIABLES.items():
        if value := (variables or {}).get(variable):
            values[name], origins[name], here[name] = value, variable, value
    for name, value in given.items():
        if value is not None:
            values[name], origins[name] = value, origin(name)
            if origins[name] == VARIABLES.get(name):
                here[name] = value
    if values["executor"] != "ray":
        for name in OF_RAY:
            if given.get(name) is None:  # the file means it for when Ray is used
                values[name], origins[name] = DEFAULTS[name], "default"
    return Settings(values, origins, here, path, resources)


def _values_here(near: Path | None, of_near: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the `sweep.toml` gives that a command without a spec finds; `near` was read already."""
    path = _find(None)
    if path == near:
        return of_near
    if path is not None:
        from sweeper.settings.file import read_settings

        with suppress(RequestError):  # that command says so
            return read_settings(path).values
    return {}


def _absolute(path: Any) -> str:
    return str(path) if "://" in str(path) else str(expanded(Path(path)).absolute())


def _from_here(text: str) -> str:
    """A path below the current folder as one that is seen from there."""
    return os.path.relpath(text) if Path(text).is_relative_to(Path.cwd()) else text


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
