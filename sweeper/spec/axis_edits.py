"""Axes that something set later replaces: `--set`, or a spec that extends another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sweeper.spec.points import ConfigPath, sets


def one_name(name: str) -> str:
    """`depth` for `model.depth`: a spec may say either."""
    return "depth" if name == "model.depth" else name


def groups_of(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Of axes: `grid`, and each group of `zip`."""
    zipped = data.get("zip")
    groups = [data.get("grid"), *(zipped if isinstance(zipped, list) else [zipped])]
    return [group for group in groups if isinstance(group, dict)]


def axes_in(data: dict[str, Any]) -> Iterator[str]:
    """The names of all axes."""
    return (axis for group in groups_of(data) for axis in group)


def drop_axis(data: dict[str, Any], name: str, *, keep: bool) -> bool:
    """Whether `name` is an axis; it is removed from `zip`, and from `grid` unless kept there."""
    found = False
    for group in groups_of(data):
        for axis in [axis for axis in group if one_name(axis) == one_name(name)]:
            found = True
            # What is kept is replaced in its place, so that the order of the runs stays.
            if not (keep and group is data.get("grid") and axis == name):
                del group[axis]
    return found


def drop_axes_inside(data: dict[str, Any], name: str, value: Any) -> None:
    """What a mapping sets, it sets for every run: axes of that are removed."""
    around = ConfigPath.parse(name)
    for group in groups_of(data):
        for axis in list(group):
            path = ConfigPath.parse(axis)
            inside = path[len(around) :]
            if inside and path[: len(around)] == around and sets(value, inside):
                del group[axis]


def take_place_of_depth(data: dict[str, Any], key: str, value: Any) -> None:
    """The depth stands by itself or in the model: one that is set at the top removes the other."""
    model = data.get("model")
    if key == "depth" and isinstance(model, dict):
        data["model"] = {name: at for name, at in model.items() if name != "depth"}
    elif key == "model" and isinstance(value, dict) and "depth" in value:
        data.pop("depth", None)


def drop_options_of_another_trainer(data: dict[str, Any], trainer: Any) -> None:
    """Options are those of their trainer: another one starts without, and without axes of them."""
    if data.get("trainer") in (None, trainer):
        return  # options that stand without a trainer are for whoever adds one
    data.pop("options", None)
    for group in groups_of(data):
        for axis in [axis for axis in group if ConfigPath.parse(axis)[0] == "options"]:
            del group[axis]
