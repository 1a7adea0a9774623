"""From a point of a spec's grid to the config of a run; an error names the place in the spec."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from math import isfinite
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sweep_plugins import PluginError, UnknownNameError
from sweeper.spec.own_trainers.own_trainer import OwnTrainer, OwnTrainers
from sweeper.spec.points import CONFIG_KEYS, Point, not_a_model
from sweeper.spec.source import SpecPath
from sweeper.spec.validation import explain
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

_OF_EVERY_RUN = frozenset({"trainer", "options", "source", "seed"})

DEEPEST_NETWORK = 10_000
"""Layers; a deeper network is refused before its blocks are planned."""

ConfigT = TypeVar("ConfigT", bound=TrainerRun)

_LARGEST_WHOLE = 2**53 - 1
"""Larger whole numbers have no canonical JSON (RFC 8785): not every float can tell them apart."""


def resolve(point: Point, own: OwnTrainers) -> TrainerRun:
    """The point as a run's config. Raises ConfigError at the place of the value that is wrong.

    Raises PluginError if files are missing that a plug-in names.
    """
    config = _resolved(point, own)
    plugins = plugins_of(config)
    return config.with_code(config.code | plugins) if plugins else config


def _resolved(point: Point, own: OwnTrainers) -> TrainerRun:
    name = point.data.get("trainer") or BUILT_IN_TRAINER
    if name == BUILT_IN_TRAINER:
        if point.data.get("options") is not None:
            raise ConfigError(
                point.place(("options",)),
                "options are those of a trainer of your own: add trainer: module:function, or set"
                " the model's options in model: {name: ..., ...}",
            )
        return _of_images(point, point.data)
    if not isinstance(name, str) or not re.match(TRAINER_NAME, name):
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
        raise ConfigError(point.place(("model", "name")), not_a_model(name))
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
