"""Specs laid over one another: what a spec changes of those that it extends.

Mappings are merged key by key; anything else replaces what was there, and null removes it. Some
mappings are one value and replaced as a whole: `zip`, a `scheme`, and a mapping whose `name` is
another one. The `options` of another trainer are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sweeper.spec.axis_edits import (
    axes_in,
    drop_axes_inside,
    drop_axis,
    drop_options_of_another_trainer,
    groups_of,
    take_place_of_depth,
)
from sweeper.spec.points import CONFIG_KEYS, NAMED, ConfigPath
from sweeper.spec.source import EXTENDS, SpecPath, SpecSource
from trainers.errors import ConfigError

NOT_INHERITED = ("name", "description")
"""Keys that say which spec it is."""

_ONE_VALUE = ("zip", "scheme")


def merge(layers: Sequence[SpecSource]) -> SpecSource:
    """These specs as one, each laid over those before it; name and text are the last one's.

    Raises SpecError for a value inside one that an axis of an earlier layer sets.
    """
    merged = SpecSource(layers[-1].name, layers[-1].text, {}, {}, sum(at.values for at in layers))
    for layer in layers:
        for key in NOT_INHERITED:
            merged.data.pop(key, None)
        with layer.placing_errors():
            _lay_over(merged, layer.data)
        merged.places |= layer.places
    merged.places = {at: place for at, place in merged.places.items() if _has(merged.data, at)}
    return merged


def _lay_over(merged: SpecSource, data: dict[str, Any]) -> None:
    below = merged.data
    if "trainer" in data:
        drop_options_of_another_trainer(below, data["trainer"])
    removed = _replace_axes(below, data)
    _fix_axes(merged, data)
    for key, value in data.items():
        take_place_of_depth(below, key, value)
    for key, value in data.items():
        if key == EXTENDS:
            continue
        if key == "grid" and isinstance(value, dict):
            value = {name: values for name, values in value.items() if name not in removed}
        if value is None and below.get(key) is not None:
            del below[key]
        else:
            below[key] = _merged(below.get(key), value, (key,))


def _replace_axes(below: dict[str, Any], data: dict[str, Any]) -> set[str]:
    """Drops from below the axes that `data` has too; those that it removes with null."""
    removed = set()
    for group in groups_of(data):
        in_grid = group is data.get("grid")
        for name, values in group.items():
            if values is None and in_grid:
                if drop_axis(below, name, keep=False):
                    removed.add(name)
                continue
            drop_axis(below, name, keep=in_grid)
            for value in values if isinstance(values, list) else ():
                drop_axes_inside(below, name, value)
    return removed


def _fix_axes(merged: SpecSource, data: dict[str, Any]) -> None:
    """Drops from below the axes whose path `data` gives one value."""
    varied = {ConfigPath.parse(axis): axis for axis in axes_in(merged.data)}
    for path, whole in _given(data):
        axis = varied.get(ConfigPath.parse(".".join(map(str, path))))
        if axis is None:
            continue
        if not whole:
            group = "grid" if axis in (merged.data.get("grid") or {}) else "zip"
            raise ConfigError(
                path,
                f"{axis} is varied at {merged.place((group, axis))}, which sets all of it: give"
                f" that axis other values, or remove it with grid: {{{axis}: null}}",
            )
        drop_axis(merged.data, axis, keep=False)


def _given(data: dict[str, Any]) -> Iterator[tuple[SpecPath, bool]]:
    """The paths in the config that have a value, and whether it is a whole one."""
    open_paths: list[tuple[SpecPath, Any]] = [((key,), data.get(key)) for key in CONFIG_KEYS]
    for path, value in open_paths:
        if isinstance(value, dict):
            yield path, path[0] in _ONE_VALUE or "name" in value
            open_paths += [((*path, key), inner) for key, inner in value.items()]
        elif value is not None:
            yield path, True


def _merged(before: Any, value: Any, path: SpecPath) -> Any:
    if path in NAMED:
        before, value = _named(before), _named(value)
    if not isinstance(before, dict) or not isinstance(value, dict):
        return value
    if path[0] in _ONE_VALUE or (
        "name" in value and value["name"] != before.get("name", value["name"])
    ):
        # Another model keeps the depth that was asked for, as with --set.
        kept = ("depth",) if path == ("model",) else ()
        return {key: before[key] for key in kept if key in before} | value
    result = dict(before)
    for key, inner in value.items():
        if inner is None and before.get(key) is not None:
            del result[key]
        else:
            result[key] = _merged(before.get(key), inner, (*path, key))
    return result


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _has(data: Any, path: SpecPath) -> bool:
    for key in path:
        if isinstance(data, list):
            there = isinstance(key, int) and key < len(data)
        else:
            there = isinstance(data, dict) and key in data
        if not there:
            return False
        data = data[key]
    return True
