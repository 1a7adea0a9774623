"""`--set path=value`: change a spec on the command line."""

from __future__ import annotations

from typing import Any

from sweeper.errors import Place, RequestError
from sweeper.spec.axis_edits import (
    axes_in,
    drop_axes_inside,
    drop_axis,
    one_name,
    take_place_of_depth,
)
from sweeper.spec.points import DEEPEST_PATH, NAMED
from sweeper.spec.source import EXTENDS, SpecPath, SpecSource, in_one_line, parse_value

_ALWAYS_ONE_VALUE = ("depth", "seed")
"""Keys for which a list can only mean an axis."""

_LONGEST_SHOWN = 100


def apply_override(source: SpecSource, override: str, *, stored: bool = False) -> None:
    """Set one value in the spec's data, in place.

    A path that the spec varies as an axis is fixed to the value, or, for a list, varied over it.
    `grid.PATH=[...]` makes or replaces an axis, and `zip.PATH=[...]` one of a group.

    Args:
        stored: whether it was taken before, with the sweep that it is stored with. Older versions
            took one without a value, as null.

    Raises:
        RequestError: not of the form path=value, or without a value.
        SpecError: the value is not valid YAML.
    """
    dotted, equals, text = override.partition("=")
    dotted = dotted.strip()
    if not equals or not dotted or "" in dotted.split("."):
        shown = in_one_line(repr(override), _LONGEST_SHOWN)
        raise RequestError(
            f"--set {shown} is not of the form path=value, such as training.epochs=2"
        )
    option = f"--set {in_one_line(override, _LONGEST_SHOWN)}"
    if dotted.count(".") > DEEPEST_PATH:
        raise RequestError(f"{option}: no key of a spec is nested so deep")
    if dotted == EXTENDS:
        raise RequestError(
            f"{option}: write it in a spec, beside which the other one is looked for"
        )
    value = parse_value(text, option)
    if value is None and not stored and text.strip().lower() not in ("null", "~"):
        raise RequestError(
            f"{option} sets no value; is it a variable that is not set? {dotted}=null removes a key"
        )
    first, _, rest = dotted.partition(".")
    name = one_name(rest if first in ("grid", "zip") and rest else dotted)
    if first == "grid" and rest:
        drop_axis(source.data, name, keep=True)
        path: SpecPath = ("grid", name)
    elif first == "zip" and rest:
        path = ("zip", name)
    elif isinstance(value, list):
        varied = drop_axis(source.data, name, keep=True) or name in _ALWAYS_ONE_VALUE
        path = ("grid", name) if varied else tuple(name.split("."))
    else:
        drop_axis(source.data, name, keep=False)
        drop_axes_inside(source.data, name, value)
        path = tuple(name.split("."))
    if len(path) == 1:
        take_place_of_depth(source.data, str(path[0]), value)
    if path[0] not in ("grid", "zip") and _inside_an_axis(source.data, name):
        # The axis replaces the mapping around it, so the value has to come later, as another axis.
        path, value = ("grid", name), [value]
    _set(source, path, value, option)


def _inside_an_axis(data: dict[str, Any], name: str) -> bool:
    full = "model.depth" if name == "depth" else name
    return any(full.startswith(f"{axis}.") for axis in axes_in(data))


def _set(source: SpecSource, path: SpecPath, value: Any, option: str) -> None:
    here: Any = source.data
    place = Place(option)
    for position, key in enumerate(path[:-1]):
        child = here.get(key)
        if child is None:
            child = {}
            source.places[path[: position + 1]] = place
        if isinstance(child, str) and path[: position + 1] in NAMED:
            child = {"name": child}
        if not isinstance(child, dict):
            name = ".".join(map(str, path[: position + 1]))
            raise RequestError(in_one_line(f"{option}: {name} is {child!r}, which has no keys"))
        here[key] = child
        here = child
    before = here.get(path[-1])
    if path == ("model",) and isinstance(value, str) and isinstance(before, dict):
        # Another model keeps the depth that was asked for.
        value = {"name": value, **{key: before[key] for key in ("depth",) if key in before}}
    here[path[-1]] = value
    for old in [p for p in source.places if p[: len(path)] == path]:
        del source.places[old]
    source.places[path] = place
