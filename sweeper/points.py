"""One point of a spec's grid: a config in the making, and where each of its values was written."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from sweeper.spec_source import SpecPath, SpecSource
from sweeper.validation import explain
from trainers.config import RunConfig

CONFIG_KEYS = (
    "model",
    "scheme",
    "depth",
    "seed",
    "dataset",
    "training",
    "precision",
    "trainer",
)
"""The keys of a spec that make up a run's config."""

_NAMED = ("model", "dataset")
"""Keys whose value may be a name alone, short for {name: ...}."""


class ConfigPath(tuple[str, ...]):
    """A path into a RunConfig; `depth` in a spec is short for `model.depth`."""

    @classmethod
    def parse(cls, dotted: str) -> ConfigPath:
        keys = dotted.split(".")
        return cls(("model", *keys) if keys[0] == "depth" else keys)


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
    def base(cls, source: SpecSource, given: Mapping[str, Any]) -> Point:
        """The config that stands outside the axes. Raises SpecError."""
        point = cls({"seed": 0}, {})
        # The model comes first, since depth is set inside it.
        for key in CONFIG_KEYS:
            if given.get(key) is not None:
                point.set(source, ConfigPath.parse(key), copy.deepcopy(given[key]), (key,))
        return point

    def copy(self) -> Point:
        return Point(copy.deepcopy(self.data), dict(self.origins))

    def set(self, source: SpecSource, path: ConfigPath, value: Any, origin: SpecPath) -> None:
        """Set one value. Raises SpecError if the path leads into something that has no keys."""
        *parents, last = path
        here = self.data
        for depth, key in enumerate(parents):
            child = here.get(key, {})
            if key in _NAMED and isinstance(child, str):
                child = {"name": child}
            if not isinstance(child, dict):
                inside = ".".join(path[: depth + 1])
                raise source.error(
                    origin, f"{'.'.join(path)} cannot be set: {inside} is {child!r}, without keys"
                )
            here[key] = child
            here = child
        before = here.get(last)
        if path == ("model",) and isinstance(value, str):
            value = {"name": value}
        if path == ("model",) and isinstance(before, dict) and "depth" in before:
            # Another model keeps the depth that was asked for, unless it brings its own.
            value = {"depth": before["depth"], **value} if isinstance(value, dict) else value
        here[last] = value
        self.origins[tuple(path)] = origin

    def place(self, path: tuple[str | int, ...]) -> SpecPath:
        """Where in the spec the value at `path` of the config stands."""
        for length in range(len(path), 0, -1):
            origin = self.origins.get(path[:length])  # type: ignore[arg-type]
            if origin is not None:
                return (*origin, *path[length:])
        return path


def resolve(source: SpecSource, point: Point) -> RunConfig:
    """The point as a run's config. Raises SpecError at the place of the value that is wrong."""
    if "model" not in point.data or "name" not in point.data["model"]:
        raise source.error((), "the spec names no model: add, for example, model: zerosnet")
    if "dataset" not in point.data:
        raise source.error((), "the spec names no dataset: add, for example, dataset: cifar10")
    try:
        return RunConfig.model_validate(point.data)
    except ValidationError as error:
        raise explain(error, RunConfig, source, point.data, relocate=point.place) from None
