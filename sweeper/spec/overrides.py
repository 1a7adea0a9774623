"""`--set path=value`: change a spec on the command line."""

from __future__ import annotations

from typing import Any

from sweeper.errors import Place, RequestError
from sweeper.spec.points import DEEPEST_PATH, NAMED, ConfigPath, sets
from sweeper.spec.source import SpecPath, SpecSource, in_one_line, parse_value

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
    value = parse_value(text, option)
    if value is None and not stored and text.strip().lower() not in ("null", "~"):
        raise RequestError(
            f"{option} sets no value; is it a variable that is not set? {dotted}=null removes a key"
        )
    first, _, rest = dotted.partition(".")
    name = _one_name(rest if first in ("grid", "zip") and rest else dotted)
    if first == "grid" and rest:
        _drop_axis(source.data, name, keep=True)
        path: SpecPath = ("grid", name)
    elif first == "zip" and rest:
        path = ("zip", name)
    elif isinstance(value, list):
        varied = _drop_axis(source.data, name, keep=True) or name in _ALWAYS_ONE_VALUE
        path = ("grid", name) if varied else tuple(name.split("."))
    else:
        _drop_axis(source.data, name, keep=False)
        _drop_axes_inside(source.data, name, value)
        path = tuple(name.split("."))
    _take_place_of_depth(source.data, path, value)
    if path[0] not in ("grid", "zip") and _inside_an_axis(source.data, name):
        # The axis replaces the mapping around it, so the value has to come later, as another axis.
        path, value = ("grid", name), [value]
    _set(source, path, value, option)


def _one_name(name: str) -> str:
    """`depth` for `model.depth`: a spec may say either."""
    return "depth" if name == "model.depth" else name


def _groups(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Of axes: `grid`, and each group of `zip`."""
    zipped = data.get("zip")
    groups = [data.get("grid"), *(zipped if isinstance(zipped, list) else [zipped])]
    return [group for group in groups if isinstance(group, dict)]


def _drop_axis(data: dict[str, Any], name: str, *, keep: bool) -> bool:
    """Whether `name` is an axis; it is removed from `zip`, and from `grid` unless kept there."""
    found = False
    for group in _groups(data):
        for axis in [axis for axis in group if _one_name(axis) == name]:
            found = True
            # What is kept is replaced in its place, so that the order of the runs stays.
            if not (keep and group is data.get("grid") and axis == name):
                del group[axis]
    return found


def _drop_axes_inside(data: dict[str, Any], name: str, value: Any) -> None:
    """What a mapping sets, it sets for every run: axes of that are removed."""
    for group in _groups(data):
        for axis in list(group):
            inside = ConfigPath.parse(axis)
            around = ConfigPath.parse(name)
            if inside[: len(around)] == around and sets(value, inside[len(around) :]):
                del group[axis]


def _take_place_of_depth(data: dict[str, Any], path: SpecPath, value: Any) -> None:
    """The depth stands by itself or in the model: one that is set removes the other."""
    model = data.get("model")
    if path == ("depth",) and isinstance(model, dict):
        data["model"] = {key: at for key, at in model.items() if key != "depth"}
    elif path == ("model",) and isinstance(value, dict) and "depth" in value:
        data.pop("depth", None)


def _inside_an_axis(data: dict[str, Any], name: str) -> bool:
    full = "model.depth" if name == "depth" else name
    return any(full.startswith(f"{axis}.") for group in _groups(data) for axis in group)


def _set(source: SpecSource, path: SpecPath, value: Any, option: str) -> None:
    here: Any = source.data
    place = Place(option)
    for position, key in enumerate(path[:-1]):
        child = here.get(key)
        if child is None:
            child = {}
            source.places[path[: position + 1]] = place
        if isinstance(child, str) and position == 0 and key in NAMED:
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
