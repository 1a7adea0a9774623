"""A pydantic error as one message for the user: where, which value, what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from results.queries.config_options import CONFIG_OPTIONS
from sweep_plugins import meaning, nearest
from sweeper.spec.source import SpecPath, shortened
from trainers.config.dataset import DatasetConfig, config_class
from trainers.config.optimizers import OPTIMIZER, OptimizerConfig
from trainers.config.probes import PROBES
from trainers.config.schedules import SCHEDULE
from trainers.config.schedules.base import ScheduleConfig
from trainers.config.trainer_run import TrainerRun
from trainers.errors import ConfigError
from trainers.models import MODELS, ModelOptions


def explain(
    error: ValidationError,
    model: type[BaseModel] | None,
    data: Any,
    *,
    prefix: SpecPath = (),
    relocate: Callable[[SpecPath], SpecPath] | None = None,
    suggest: Callable[[str, Sequence[str]], str | None] = nearest,
) -> ConfigError:
    """The first problem of `error`, with the path of its value in the spec.

    Args:
        model: the class that was validated, whose fields are the allowed keys.
        data: what was validated.
        prefix: where `data` stands in the spec.
        relocate: turns a path in `data` into one in the spec, where the two differ.
        suggest: what is meant by an unknown key at the top of `data`, of which these are allowed.
    """
    problem = min(
        error.errors(include_url=False), key=lambda p: _usefulness(p, _real_path(p["loc"], data))
    )
    path = _real_path(problem["loc"], data)
    reason = problem.get("ctx", {}).get("error")
    if isinstance(reason, ConfigError):
        # Raised by the validator of the key itself, or of a mapping around it.
        around = path[: -len(reason.path)] if path[-len(reason.path) :] == reason.path else path
        path = (*around, *reason.path)
    place = relocate(path) if relocate else (*prefix, *path)
    message = _message(problem, reason, path, model, data, suggest)
    return ConfigError(place, message + _several_values(model, path, data, prefix))


def _usefulness(problem: ErrorDetails, path: SpecPath) -> tuple[int, int]:
    # Of several, an unknown key says most: what is missing is usually what was misspelt. The
    # branch of a union that goes deepest is the one that was meant.
    return {"extra_forbidden": 0, "missing": 2}.get(problem["type"], 1), -len(path)


def _real_path(loc: SpecPath, data: Any) -> SpecPath:
    """The part of a pydantic location that is in the data; the rest names types and branches."""
    path: list[str | int] = []
    here = data
    for position, key in enumerate(loc):
        if _holds(here, key):
            here = here[key]
        elif position < len(loc) - 1:
            continue  # the branch of a union, such as "dict[str,list[any]]"
        elif not isinstance(here, Mapping) or not isinstance(key, str) or "[" in key:
            break
        path.append(key)  # in the data, or missing there and named as such
    return tuple(path)


def _holds(container: Any, key: str | int) -> bool:
    if isinstance(container, Mapping):
        return key in container
    return isinstance(container, (list, tuple)) and isinstance(key, int) and key < len(container)


def _message(
    problem: ErrorDetails,
    reason: Exception | None,
    path: SpecPath,
    model: type[BaseModel] | None,
    data: Any,
    suggest: Callable[[str, Sequence[str]], str | None],
) -> str:
    name = _shown(path)
    if isinstance(reason, ConfigError):
        # It names its key; what is around the key tells which of several is meant.
        around = name.rpartition(".")[0]
        return f"{around}: {reason}" if around else str(reason)
    if reason is not None:
        return f"{name}: {reason}" if name else str(reason)
    if problem["type"] == "extra_forbidden":
        key = str(path[-1])
        allowed = _allowed_keys(model, path[:-1], data)
        where = ".".join(map(str, path[:-1]))
        if nested := _nested(key, allowed, data, path, suggest):
            return f"unknown key {key!r}; in a spec it is nested: {nested}"
        inside = [option for option in CONFIG_OPTIONS if option.startswith(f"{where}.")]
        meant = nearest(key, [*allowed, *inside]) if where else suggest(key, allowed)
        # What has this very path is an option of another dataset or model.
        hint = "" if meant in (key, f"{where}.{key}") else meaning(meant)
        known = f" (allowed: {', '.join(allowed)})" if allowed else ""
        return f"unknown key {key!r}{f' in {where}' if where else ''}{hint}{known}"
    if problem["type"] == "missing" and not isinstance(problem["loc"][-1], int):
        return f"{name} is missing"
    # YAML's word, not pydantic's.
    no_mapping = problem["type"] in ("dict_type", "model_type")
    rule = "input should be a mapping" if no_mapping else problem["msg"].replace("tuple", "list")
    if problem["type"] == "missing":
        rule = "it has too few values"  # a list of a fixed length
    return f"{name}: {shortened(problem['input'])} is not allowed: {rule[:1].lower()}{rule[1:]}"


def _several_values(
    model: type[BaseModel] | None, path: SpecPath, data: Any, prefix: SpecPath
) -> str:
    """Where to write the values of a list that stands for one; empty if it does not."""
    value = data
    for key in path:
        if isinstance(key, int) or not _holds(value, key):
            return ""
        value = value[key]
    if not path or not isinstance(value, list):
        return ""
    if path[-1] not in _ONE_VALUE.get(path[:-1], ()):
        parent = _model_at(model, path[:-1], data)
        field = parent.model_fields.get(str(path[-1])) if parent else None
        if field is None or _takes_several(field.annotation):
            return ""
    if model is not None and issubclass(model, TrainerRun):
        return f"; {several_belong_in_grid(path)}"
    return "; several values are one entry each" if prefix[:1] == ("evaluations",) else ""


def several_belong_in_grid(path: SpecPath) -> str:
    """What to say of a list at a path of the config that takes one value."""
    return f"several values belong in grid: {{{_shown(path)}: [...]}}"


_ONE_VALUE: dict[SpecPath, tuple[str, ...]] = {("scheme",): ("k", "lambda", "beta")}
"""Keys that a spec has and the class that reads them has not as fields."""


def _takes_several(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(map(_takes_several, get_args(annotation)))


def _nested(
    key: str,
    allowed: Sequence[str],
    data: Any,
    path: SpecPath,
    suggest: Callable[[str, Sequence[str]], str | None],
) -> str:
    """How a dotted key, as those of axes and of --set are, is written there; "" if it is none."""
    meant: str | None = key
    if "." in key and key.partition(".")[0] not in allowed:
        meant = suggest(key, allowed) if len(path) == 1 else None
    if meant is None or "." not in key or not all(key.split(".")):
        return ""
    value = data
    for part in path:
        value = value[part]
    *around, last = meant.split(".")
    said = f"{last}: {'null' if value is None else shortened(value)}"
    for name in reversed(around):
        said = f"{name}: {{{said}}}"
    return said


def _shown(path: SpecPath) -> str:
    return ".".join(map(str, path)).replace("model.depth", "depth")


def _allowed_keys(model: type[BaseModel] | None, path: SpecPath, data: Any) -> list[str]:
    model = _model_at(model, path, data)
    return sorted(model.model_fields) if model else []


def _model_at(model: type[BaseModel] | None, path: SpecPath, data: Any) -> type[BaseModel] | None:
    """The class that reads the mapping at `path`; None for what none reads."""
    if path[:1] == ("probes",) and len(path) > 1:
        probe = data["probes"][path[1]]["probe"]
        model, path = PROBES[probe].config, path[2:]
    for key in path:
        field = model.model_fields.get(str(key)) if model else None
        annotation: Any = field.annotation if field else None
        is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        model = annotation if is_model else None
        if model is ModelOptions:
            model = MODELS[data["model"]["name"]].options
        if model is DatasetConfig and isinstance(data["dataset"]["name"], str):
            model = config_class(data["dataset"]["name"])
        if model is OptimizerConfig:
            model = OPTIMIZER.class_of(data["training"]["optimizer"])
        if model is ScheduleConfig:
            model = SCHEDULE.class_of(data["training"]["lr_schedule"])
    return model
