"""A pydantic error as one message for the user: where, which value, what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sweeper.errors import SpecError
from sweeper.spec.source import SpecPath, SpecSource
from trainers.config.dataset import DatasetConfig, config_class
from trainers.config.probes import PROBES
from trainers.models import MODELS, ModelOptions

LONGEST_VALUE = 80

_MAPPING = re.compile(r"valid dictionary( or instance of \w+)?")
"""pydantic's words for what YAML calls a mapping."""


def explain(
    error: ValidationError,
    model: type[BaseModel] | None,
    source: SpecSource,
    data: Any,
    *,
    prefix: SpecPath = (),
    relocate: Callable[[tuple[str | int, ...]], SpecPath] | None = None,
) -> SpecError:
    """The first problem of `error` as a SpecError.

    Args:
        model: the class that was validated, whose fields are the allowed keys.
        data: what was validated.
        prefix: where `data` stands in the spec.
        relocate: turns a path in `data` into one in the spec, where the two differ.
    """
    problem = min(
        error.errors(include_url=False), key=lambda p: _usefulness(p, _real_path(p["loc"], data))
    )
    path = _real_path(problem["loc"], data)
    # What concerns the whole config is a clash of depth and scheme; the depth is easiest to change.
    blamed = path + _key_in_reason(problem, path, data)
    place = relocate(blamed or ("model", "depth")) if relocate else (*prefix, *blamed)
    return source.error(place, _message(problem, path, model, data))


def _usefulness(problem: ErrorDetails, path: tuple[str | int, ...]) -> tuple[int, int]:
    # Of several, an unknown key says most: what is missing is usually what was misspelt. The
    # branch of a union that goes deepest is the one that was meant.
    return {"extra_forbidden": 0, "missing": 2}.get(problem["type"], 1), -len(path)


def _key_in_reason(
    problem: ErrorDetails, path: tuple[str | int, ...], data: Any
) -> tuple[str | int, ...]:
    """The key that the reason is about, where a mapping as a whole was refused.

    Our own messages begin with it: "subset 9999 exceeds ...", "lambda must not be 0".
    """
    for key in path:
        if not isinstance(data, Mapping) or key not in data:
            return ()
        data = data[key]
    first = _reason(problem).split(" ")[0]
    return (first,) if isinstance(data, Mapping) and first in data else ()


def _reason(problem: ErrorDetails) -> str:
    return problem["msg"].removeprefix("Value error, ")


def _real_path(loc: tuple[str | int, ...], data: Any) -> tuple[str | int, ...]:
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
    path: tuple[str | int, ...],
    model: type[BaseModel] | None,
    data: Any,
) -> str:
    name = ".".join(map(str, path)).replace("model.depth", "depth")
    if problem["type"] == "extra_forbidden":
        key = str(path[-1])
        allowed = _allowed_keys(model, path[:-1], data)
        nearest = difflib.get_close_matches(key, allowed, n=1, cutoff=0.5)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        known = f" (allowed: {', '.join(allowed)})" if allowed else ""
        where = ".".join(map(str, path[:-1]))
        return f"unknown key {key!r}{f' in {where}' if where else ''}{hint}{known}"
    if problem["type"] == "missing":
        return f"{name} is missing"
    reason = _reason(problem)
    if problem["type"] == "value_error":
        return f"{name}: {reason}" if name and not reason.startswith(f"{name} ") else reason
    reason = _MAPPING.sub("mapping", reason)
    shown = repr(problem["input"])
    if len(shown) > LONGEST_VALUE:
        shown = shown[: LONGEST_VALUE - 3] + "..."
    return f"{name}: {shown} is not allowed: {reason[:1].lower()}{reason[1:]}"


def _allowed_keys(
    model: type[BaseModel] | None, path: tuple[str | int, ...], data: Any
) -> list[str]:
    if path[:1] == ("probes",) and len(path) > 1:
        probe = data["probes"][path[1]]["probe"]
        model, path = PROBES[probe].config, path[2:]
    for key in path:
        field = model.model_fields.get(str(key)) if model else None
        annotation: Any = field.annotation if field else None
        model = annotation if _is_model(annotation) else None
        if model is ModelOptions:
            model = MODELS[data["model"]["name"]].options
        if model is DatasetConfig:
            model = config_class(data["dataset"]["name"])
    return sorted(model.model_fields) if model else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
