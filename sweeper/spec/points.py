"""One point of a spec's grid: a config in the making, and where each of its values was written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sweep_plugins import PluginError, UnknownNameError, did_you_mean
from sweeper.spec.own_trainer import OwnTrainer, OwnTrainers
from sweeper.spec.source import SpecPath
from sweeper.spec.validation import explain, several_belong_in_grid
from trainers.config.dataset import parse_dataset
from trainers.config.plugin_code import plugins_of
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun
from trainers.config.trainers import BUILT_IN_TRAINER, TRAINER_NAME, check_trainer
from trainers.config.training import TrainingConfig
from trainers.errors import ConfigError
from trainers.methods.scheme_config import SchemeConfig
from trainers.models import MODELS
from trainers.own.declaration import PARTS

CONFIG_KEYS = (
    "model", "scheme", "depth", "seed", "dataset", "training", "precision", "compile", "probes",
    "trainer", "options",
)  # fmt: skip
"""The keys of a spec that make up a run's config."""

_OF_EVERY_RUN = frozenset({"trainer", "options", "source", "seed"})

NAMED = frozenset(
    {("model",), ("dataset",), ("training", "optimizer"), ("training", "lr_schedule")}
)
"""Paths at which a name alone is short for {name: ...}."""

DEEPEST_PATH = 8
"""Dots in the name of an axis: more than any config has, and few enough to follow them."""

DEEPEST_NETWORK = 10_000
"""Layers; a deeper network is refused before its blocks are planned."""

ConfigT = TypeVar("ConfigT", bound=TrainerRun)

_LARGEST_WHOLE = 2**53 - 1
"""Larger whole numbers have no canonical JSON (RFC 8785): not every float can tell them apart."""


class ConfigPath(tuple[str, ...]):
    """A path into a RunConfig; `depth` in a spec is short for `model.depth`."""

    @classmethod
    def parse(cls, dotted: str) -> ConfigPath:
        """The path that a spec writes with dots; `depth` stands for `model.depth`."""
        keys = dotted.split(".")
        return cls(("model", *keys) if keys[0] == "depth" else keys)


def check_key(place: SpecPath, name: str, what: str) -> None:
    """Raises ConfigError unless the dotted `name` starts with a key of the config."""
    first = name.split(".")[0]
    if name.count(".") > DEEPEST_PATH:
        raise ConfigError(place, f"{name!r} {what}: no key of the config is nested so deep")
    if first not in CONFIG_KEYS:
        hint = did_you_mean(first, CONFIG_KEYS)
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
            raise ConfigError(origin, _not_a_model(value))
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


def resolve(point: Point, own: OwnTrainers) -> TrainerRun:
    """The point as a run's config. Raises ConfigError at the place of the value that is wrong.

    Raises PluginError if files are missing that a plug-in names.
    """
    config = _resolved(point, own)
    plugins = plugins_of(config)
    return config.with_code(config.code | plugins) if plugins else config


def _resolved(point: Point, own: OwnTrainers) -> TrainerRun:
    name = point.data.get("trainer") or BUILT_IN_TRAINER
    if name == BUILT_IN_TRAINER or not isinstance(name, str):
        if point.data.get("options") is not None:
            raise ConfigError(
                point.place(("options",)),
                "options are those of a trainer of your own: add trainer: module:function, or set"
                " the model's options in model: {name: ..., ...}",
            )
        return _of_images(point, point.data)
    if not re.match(TRAINER_NAME, name):
        kind = RunConfig if "model" in point.data else TrainerRun
        return _validated(point, kind, point.data)  # raises
    trainer = _own_trainer(point, name, own)
    given = point.data.get("options") or {}
    if not isinstance(given, dict):
        raise ConfigError(point.place(("options",)), f"options: {given!r:.80} is no mapping")
    try:
        options = trainer.options(given)
    except ConfigError as error:
        raise ConfigError(point.place(("options", *error.path)), str(error)) from None
    source = None if trainer.code is None else trainer.code.sha256
    data = {**point.data, "options": options, "source": source}
    _check_parts(point, trainer)
    if "model" in data:
        return _of_images(point, data)
    return _validated(point, TrainerRun, data)


def _own_trainer(point: Point, name: str, own: OwnTrainers) -> OwnTrainer:
    try:
        check_trainer(name)
        return own[name]
    except (UnknownNameError, PluginError, ConfigError) as error:
        raise ConfigError(point.place(("trainer",)), str(error)) from None


def _check_parts(point: Point, trainer: OwnTrainer) -> None:
    """Raises ConfigError unless the spec has the parts that the trainer uses, and no other."""
    given = point.data.keys() - _OF_EVERY_RUN
    uses = given & set(PARTS) if trainer.uses is None else trainer.uses
    for part in PARTS:
        if part in uses and part not in given and part != "training":
            raise ConfigError(
                point.place(("trainer",)), f"trainer {trainer.name} uses a {part}: add {part}: NAME"
            )
    if "model" in uses:
        return
    for key in sorted(given - uses, key=CONFIG_KEYS.index):
        only_depth = key == "model" and point.data[key].keys() == {"depth"}
        shown = "depth" if only_depth else key
        raise ConfigError(
            point.place((key,)),
            f"{shown}: trainer {trainer.name} uses none; remove it, or give the trainer an option"
            f" of that name: options: {{{shown}: ...}}",
        )


def _of_images(point: Point, data: dict[str, Any]) -> RunConfig:
    _check_model(point)
    if "dataset" not in data:
        raise ConfigError((), "the spec names no dataset: add, for example, dataset: cifar10")
    if isinstance(data.get("scheme"), dict):
        _check_scheme(point, data["scheme"])
    return _validated(point, RunConfig, data)


def _validated(point: Point, kind: type[ConfigT], data: dict[str, Any]) -> ConfigT:
    try:
        return kind.model_validate(_with_known_parts(data))
    except ValidationError as error:
        raise explain(error, kind, data, relocate=point.place) from None


_PARTS: dict[str, Callable[[Any], BaseModel]] = {
    "scheme": SchemeConfig.model_validate,
    "dataset": parse_dataset,
    "training": TrainingConfig.model_validate,
}


def _with_known_parts(data: dict[str, Any]) -> dict[str, Any]:
    """The data with parts that many runs share validated once, and then the same object."""
    parts = dict(data)
    for name in _PARTS.keys() & data.keys():
        if data[name] is not None:
            # Validating the whole config reports what is wrong with a part.
            with suppress(ValueError):
                parts[name] = _part(name, json.dumps(data[name]))
    return parts


@lru_cache(maxsize=1 << 16)
def _part(name: str, text: str) -> BaseModel:
    return _PARTS[name](json.loads(text))


def _check_model(point: Point) -> None:
    model = point.data.get("model", {})
    if not model.keys() - {"depth"}:
        raise ConfigError((), "the spec names no model: add, for example, model: zerosnet")
    name = model.get("name", model)
    if not isinstance(name, str):
        raise ConfigError(point.place(("model", "name")), _not_a_model(name))
    try:
        MODELS[name]
    except (UnknownNameError, PluginError) as error:
        raise ConfigError(point.place(("model", "name")), str(error)) from None
    depth = model.get("depth")
    if isinstance(depth, int) and depth > DEEPEST_NETWORK:
        raise ConfigError(
            point.place(("model", "depth")),
            f"depth {depth} is more than the {DEEPEST_NETWORK:,} layers that a network may have",
        )


def _check_scheme(point: Point, scheme: dict[str, Any]) -> None:
    if "learned" in scheme:
        raise ConfigError(
            point.place(("scheme", "learned")),
            "scheme: learned is how a run's config keeps it; in a spec write {k: ...}, "
            "{lambda: ...} or {alpha: [...], beta: b} with trainable: true",
        )
    for key, value in scheme.items():
        if key == "trainable":
            continue
        numbers = value if isinstance(value, list) else [value]
        for number in numbers:
            if not isinstance(number, (int, float, str)):
                raise ConfigError(
                    point.place(("scheme", key)),
                    f"scheme.{key}: {number!r} is not a number or a fraction such as 5/9",
                )


def _not_a_model(value: Any) -> str:
    several = f"; {several_belong_in_grid(('model',))}" if isinstance(value, list) else ""
    return (
        f"{value!r} is not a model: give a name, or {{name: ...}} with its options "
        f"(known: {', '.join(sorted(MODELS))}){several}"
    )


def check_numbers(point: Point, config: TrainerRun) -> None:
    """Raises ConfigError if a number has no canonical form, for which the run has no id."""
    for path, number in _without_canonical_form(config.to_json(), ()):
        raise ConfigError(
            point.place(path),
            f"{'.'.join(map(str, path))}: {number} is not allowed: numbers are finite, and whole "
            "ones below 2**53",
        )


def _without_canonical_form(value: Any, path: SpecPath) -> Iterator[tuple[SpecPath, Any]]:
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _without_canonical_form(item, (*path, key))
    elif isinstance(value, (float, int)) and (
        not isfinite(value) if isinstance(value, float) else abs(value) > _LARGEST_WHOLE
    ):
        yield path, value
