"""A pydantic error as one message for the user: where, which value, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sweeper.errors import SpecError
from sweeper.spec_source import SpecPath, SpecSource
from trainers.models import MODELS, ModelOptions

LONGEST_VALUE = 80


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
    problem = min(error.errors(include_url=False), key=_usefulness)
    path = _real_path(problem["loc"], data)
    # What concerns the whole config is a clash of depth and scheme; the depth is easiest to change.
    place = relocate(path or ("model", "depth")) if relocate else (*prefix, *path)
    return source.error(place, _message(problem, path, model, data))


def _usefulness(problem: ErrorDetails) -> int:
    # Of several, an unknown key says most: what is missing is usually what was misspelt.
    return {"extra_forbidden": 0, "missing": 2}.get(problem["type"], 1)


def _real_path(loc: tuple[str | int, ...], data: Any) -> tuple[str | int, ...]:
    """The part of a pydantic location that is in the data; the rest names types and branches."""
    path: list[str | int] = []
    here = data
    for key in loc:
        if isinstance(here, Mapping) and key in here:
            here = here[key]
        elif isinstance(here, (list, tuple)) and isinstance(key, int) and key < len(here):
            here = here[key]
        else:
            if isinstance(here, Mapping) and isinstance(key, str):
                path.append(key)  # a key that is missing, named as such
            break
        path.append(key)
    return tuple(path)


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
    reason = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{name}: {reason}" if name else reason
    shown = repr(problem["input"])
    if len(shown) > LONGEST_VALUE:
        shown = shown[: LONGEST_VALUE - 3] + "..."
    return f"{name}: {shown} is not allowed: {reason[:1].lower()}{reason[1:]}"


def _allowed_keys(
    model: type[BaseModel] | None, path: tuple[str | int, ...], data: Any
) -> list[str]:
    for key in path:
        field = model.model_fields.get(str(key)) if model else None
        annotation = field.annotation if field else None
        model = annotation if _is_model(annotation) else None
        if model is ModelOptions:
            model = MODELS[data["model"]["name"]].options
    return sorted(model.model_fields) if model else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
