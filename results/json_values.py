"""Values as the database keeps them: JSON without NaN."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

DEEPEST = 50
"""Levels of lists and objects inside one another in JSON from elsewhere: what walks through it
calls itself once for each."""


def is_too_deep(value: Any, deepest: int = DEEPEST) -> bool:
    """Whether it has more levels of lists and objects inside one another."""
    level = [value]
    for _ in range(deepest + 1):
        inside = (v.values() if isinstance(v, dict) else v for v in level if _holds_values(v))
        level = list(chain.from_iterable(inside))
        if not level:
            return False
    return True


def _holds_values(value: Any) -> bool:
    return isinstance(value, dict | list | tuple)


def finite(value: Any) -> Any:
    """`value` with every number that is not finite, at any depth, replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def to_json(value: Any) -> str:
    """JSON text of `value`; numbers that are not finite become null, and text is `storable`."""
    try:
        known, text = value, _dumps(value)
    except ValueError:
        known = finite(value)
        text = _dumps(known)
    if text == storable(text) and "\\u0000" not in text:
        return text
    return _dumps(_storable_inside(known))


def as_stored(value: Any) -> Any:
    """`value` as it comes back from a column of JSON."""
    return json.loads(to_json(value))


def storable(text: str) -> str:
    """`text` with escapes for what Postgres (NUL) or UTF-8 (half a surrogate pair) has not."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _storable_inside(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_storable_inside(key): _storable_inside(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable_inside(item) for item in value]
    return value


def leaves(
    value: Mapping[str, Any], accepted: Callable[[str], bool] = lambda key: True
) -> dict[str, Any]:
    """What an object holds, by dotted path: {"a": {"b": 1}} is {"a.b": 1}.

    An object that is empty holds nothing. Keys that are not `accepted` are passed over.
    """
    found: dict[str, Any] = {}
    for key, item in value.items():
        if not accepted(key):
            continue
        if isinstance(item, Mapping):
            found |= {f"{key}.{path}": leaf for path, leaf in leaves(item, accepted).items()}
        else:
            found[key] = item
    return found
