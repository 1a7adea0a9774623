"""Keys of a spec that do nothing, since an axis of the same file gives every run another value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sweeper.spec.points import ConfigPath
from sweeper.spec.source import SpecPath, SpecSource

_SHOWN = 3


def replaced_keys(source: SpecSource) -> str | None:
    """A sentence about the keys that axes replace, with the places of both; None if there are none.

    An axis of another file, or of the command line, is there to replace them, and the points that
    `include` adds have them.
    """
    if source.data.get("include"):
        return None
    found = []
    for at in _places_of_axes(source.data):
        axis, path = source.place(at), ConfigPath.parse(str(at[-1]))
        for key in (path, ("depth",)) if path == ("model", "depth") else (path,):
            value, place = _value_at(source.data, key), source.place(key)
            # Whatever model an axis gives, the depth beside it is kept.
            if value is None or (path == ("model",) and _is_depth_alone(value)):
                continue
            if place.file == axis.file and place.line is not None:
                found.append(f"{'.'.join(key)} at {place} by that at {axis}")
    if not found:
        return None
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"an axis replaces what is set beside it: {', '.join(found[:_SHOWN])}{more}"


def _places_of_axes(data: dict[str, Any]) -> Iterator[SpecPath]:
    zipped = data.get("zip") or {}
    yield from (("grid", name) for name in data.get("grid") or ())
    if isinstance(zipped, list):
        yield from (("zip", index, name) for index, group in enumerate(zipped) for name in group)
    else:
        yield from (("zip", name) for name in zipped)


def _value_at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _is_depth_alone(model: Any) -> bool:
    return isinstance(model, dict) and model.keys() == {"depth"}
