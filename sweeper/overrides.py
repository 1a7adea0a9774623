"""`--set path=value`: change a spec on the command line."""

from __future__ import annotations

from typing import Any

from sweeper.errors import Place, RequestError
from sweeper.points import CONFIG_KEYS
from sweeper.spec_source import SpecPath, SpecSource, parse_value

_ALWAYS_ONE_VALUE = ("depth", "seed")
"""Keys for which a list can only mean an axis."""


def apply_override(source: SpecSource, override: str) -> None:
    """Set one value in the spec's data, in place.

    A path that the spec varies as an axis is fixed to the value, or, for a list, varied over it.
    `grid.PATH=[...]` makes or replaces an axis.

    Raises:
        RequestError: not of the form path=value.
        SpecError: the value is not valid YAML.
    """
    dotted, equals, text = override.partition("=")
    dotted = dotted.strip()
    if not equals or not dotted or "" in dotted.split("."):
        raise RequestError(
            f"--set {override!r} is not of the form path=value, such as training.epochs=2"
        )
    value = parse_value(text, f"--set {override}")
    first, _, rest = dotted.partition(".")
    if first == "grid" and rest:
        path: SpecPath = ("grid", rest)
    elif _drop_axis(source.data, dotted, keep=isinstance(value, list)) or (
        dotted in _ALWAYS_ONE_VALUE and isinstance(value, list)
    ):
        path = ("grid", dotted)
        if not isinstance(value, list):
            path = tuple(dotted.split("."))
    else:
        path = tuple(dotted.split("."))
    _set(source, path, value, override)


def _drop_axis(data: dict[str, Any], name: str, *, keep: bool) -> bool:
    """Whether `name` is an axis; it is removed from `zip`, and from `grid` unless kept there."""
    found = False
    zipped = data.get("zip")
    for group in zipped if isinstance(zipped, list) else [zipped]:
        if isinstance(group, dict) and name in group:
            del group[name]
            found = True
    grid = data.get("grid")
    if isinstance(grid, dict) and name in grid:
        found = True
        if not keep:
            del grid[name]
    return found


def _set(source: SpecSource, path: SpecPath, value: Any, override: str) -> None:
    here: Any = source.data
    for position, key in enumerate(path[:-1]):
        child = here.get(key)
        if child is None:
            child = {}
        if isinstance(child, str) and path[0] in CONFIG_KEYS and position == 0:
            child = {"name": child}
        if not isinstance(child, dict):
            raise RequestError(
                f"--set {override}: {'.'.join(map(str, path[: position + 1]))} is {child!r}, "
                "which has no keys"
            )
        here[key] = child
        here = child
    here[path[-1]] = value
    for old in [p for p in source.places if p[: len(path)] == path]:
        del source.places[old]
    source.places[path] = Place(f"--set {override}")
