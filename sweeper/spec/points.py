"""One point of a spec's grid: a config in the making, and where each of its values was written."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep_plugins import meaning
from sweeper.spec.source import SpecPath
from sweeper.spec.validation import several_belong_in_grid
from trainers.errors import ConfigError
from trainers.models import MODELS

CONFIG_KEYS = (
    "model", "scheme", "depth", "seed", "dataset", "training", "precision", "compile", "probes",
    "trainer", "options",
)  # fmt: skip
"""The keys of a spec that make up a run's config."""

NAMED = frozenset(
    {("model",), ("dataset",), ("training", "optimizer"), ("training", "lr_schedule")}
)
"""Paths at which a name alone is short for {name: ...}."""

Suggest = Callable[[str, Sequence[str]], str | None]
"""What is meant by a key that is none of these, if anything is known."""

DEEPEST_PATH = 8
"""Dots in the name of an axis: more than any config has, and few enough to follow them."""


class ConfigPath(tuple[str, ...]):
    """A path into a RunConfig; `depth` in a spec is short for `model.depth`."""

    @classmethod
    def parse(cls, dotted: str) -> ConfigPath:
        """The path that a spec writes with dots; `depth` stands for `model.depth`."""
        keys = dotted.split(".")
        return cls(("model", *keys) if keys[0] == "depth" else keys)


def check_key(place: SpecPath, name: str, what: str, suggest: Suggest) -> None:
    """Raises ConfigError unless the dotted `name` starts with a key of the config."""
    first = name.split(".")[0]
    if name.count(".") > DEEPEST_PATH:
        raise ConfigError(place, f"{name!r} {what}: no key of the config is nested so deep")
    if first not in CONFIG_KEYS:
        hint = meaning(suggest(name, CONFIG_KEYS))
        raise ConfigError(
            place, f"{name!r} {what}{hint} (it starts with one of {', '.join(CONFIG_KEYS)})"
        )


def check_set_once(
    values: Mapping[str, Sequence[Any]],
    place_of: Callable[[str], SpecPath],
    last: Container[str] = (),
) -> None:
    """Raises ConfigError if one of these settings is also set inside another of them.

    Args:
        values: for the dotted name of each setting the values that it has.
        place_of: where a setting stands.
        last: settings that are meant to replace what is inside others.
    """
    names: dict[tuple[str, ...], str] = {}
    for name in values:
        other = names.setdefault(ConfigPath.parse(name), name)
        if other != name:
            raise ConfigError(place_of(name), f"{name} is {other}, which is set too; keep one")
    for path, name in names.items():
        for length in range(1, len(path)):
            around = names.get(path[:length])
            if (
                around
                and name not in last
                and any(sets(value, path[length:]) for value in values[around])
            ):
                raise ConfigError(place_of(name), f"{name} is also set inside {around}; keep one")


def sets(value: Any, path: tuple[str, ...]) -> bool:
    """Whether a mapping has something at this path."""
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


@dataclass
class Point:
    """An unresolved config and the place of each value that was set.

    Attributes:
        data: as RunConfig takes it.
        origins: for each path that was set: where in the spec its value stands.
    """

    data: dict[str, Any]
    origins: dict[tuple[str, ...], SpecPath]

    @classmethod
    def base(cls, given: Mapping[str, Any]) -> Point:
        """The config that stands outside the axes. Raises ConfigError."""
        check_set_once(
            {key: [value] for key, value in given.items() if value is not None},
            lambda name: (name,),
        )
        point = cls({"seed": 0}, {})
        # The model comes first, since depth is set inside it.
        for key in CONFIG_KEYS:
            if given.get(key) is not None:
                point.set(ConfigPath.parse(key), given[key], (key,))
        return point

    def copy(self) -> Point:
        """A copy that `set` may change."""
        # Shallow, since `set` changes no dict but the top one in place.
        return Point(dict(self.data), dict(self.origins))

    def set(self, path: ConfigPath, value: Any, origin: SpecPath) -> None:
        """Set one value. Raises ConfigError if the path leads into something that has no keys."""
        *parents, last = path
        here = self.data
        for depth, key in enumerate(parents):
            child = here.get(key, {})
            if isinstance(child, str) and path[: depth + 1] in NAMED:
                child = {"name": child}
            if not isinstance(child, dict):
                inside = ".".join(path[: depth + 1])
                raise ConfigError(
                    origin, f"{'.'.join(path)} cannot be set: {inside} is {child!r}, without keys"
                )
            here[key] = child = dict(child)
            here = child
        if path == ("model",) and not isinstance(value, (str, dict)):
            raise ConfigError(origin, not_a_model(value))
        before = here.get(last)
        if path in NAMED and isinstance(value, str):
            value = {"name": value}
        if path == ("model",) and isinstance(before, dict) and "depth" in before:
            # Another model keeps the depth that was asked for, unless it brings its own.
            value = {"depth": before["depth"], **value} if isinstance(value, dict) else value
        here[last] = value
        self.origins[tuple(path)] = origin

    def place(self, path: tuple[str | int, ...]) -> SpecPath:
        """Where in the spec the value at `path` of the config stands.

        If nothing was set there as a whole, the place of what was set last inside it.
        """
        inside = [key for key in self.origins if key[: len(path)] == path]
        if inside and path and path not in self.origins:
            return self.origins[inside[-1]]
        for length in range(len(path), 0, -1):
            origin = self.origins.get(path[:length])  # type: ignore[arg-type]
            if origin is not None:
                return (*origin, *path[length:])
        return path


def not_a_model(value: Any) -> str:
    """What is wrong with a model that is neither a name nor a mapping."""
    several = f"; {several_belong_in_grid(('model',))}" if isinstance(value, list) else ""
    return (
        f"{value!r} is not a model: give a name, or {{name: ...}} with its options "
        f"(known: {', '.join(sorted(MODELS))}){several}"
    )
