"""The axes of a spec: which names vary, over which values, and which of them move together."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sweeper.errors import Place
from sweeper.spec.grid import Axis
from sweeper.spec.points import ConfigPath, Suggest, check_key, check_set_once
from sweeper.spec.source import SpecPath
from trainers.errors import ConfigError


def axes_of(
    grid: dict[str, list[Any]],
    zipped: dict[str, list[Any]] | list[dict[str, list[Any]]],
    place_of: Callable[[SpecPath], Place],
    suggest: Suggest,
) -> list[Axis]:
    """The axes of a spec's `grid` and `zip`, in the order in which they vary.

    Args:
        place_of: where the value at a path stands, for a message that names two of them.

    Raises:
        ConfigError: an axis is empty, unknown, varied twice, set by another one's values, or not as
            long as those it moves with.
    """
    axes: list[Axis] = []
    seen: dict[ConfigPath, SpecPath] = {}
    varied: dict[str, list[Any]] = {}
    placed: list[tuple[SpecPath, dict[str, list[Any]]]] = [
        (("grid", name), {name: values}) for name, values in grid.items()
    ]
    if isinstance(zipped, list):
        placed += [(("zip", index), group) for index, group in enumerate(zipped) if group]
    elif zipped:
        placed.append((("zip",), zipped))
    for where, group in placed:
        places: list[SpecPath] = []
        for name, values in group.items():
            place: SpecPath = where if where[0] == "grid" else (*where, name)
            check_key(place, name, "cannot be an axis", suggest)
            _check_values(place, name, values, place_of)
            config_path = ConfigPath.parse(name)
            if config_path in seen:
                first = place_of(seen[config_path])
                raise ConfigError(place, f"axis {name!r} is already varied at {first}; keep one")
            seen[config_path] = place
            places.append(place)
        lengths = {name: len(values) for name, values in group.items()}
        if len(set(lengths.values())) > 1:
            raise ConfigError(
                where, f"axes that move together have equal lengths, but these have {lengths}"
            )
        axes.append((tuple(group), tuple(zip(*group.values(), strict=True)), tuple(places)))
        varied |= group
    where_is = {name: seen[ConfigPath.parse(name)] for name in varied}
    # What has no line was set on the command line.
    last = [name for name in varied if place_of(where_is[name]).line is None]
    check_set_once(varied, where_is.__getitem__, last)
    return axes


def _check_values(
    place: SpecPath, name: str, values: list[Any], place_of: Callable[[SpecPath], Place]
) -> None:
    if not values:
        raise ConfigError(place, f"axis {name!r} is empty: give it values, or remove it")
    if place[0] == "grid":
        # As JSON, since 1 == True in Python, but not to a spec.
        seen: dict[str, int] = {}
        for index, value in enumerate(values):
            text = json.dumps(value, sort_keys=True)
            if text in seen:
                first = place_of((*place, seen[text]))
                raise ConfigError(
                    (*place, index),
                    f"{value!r} is twice in axis {name!r}: it is already at {first}; keep one",
                )
            seen[text] = index
