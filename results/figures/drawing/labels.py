"""What figures call metrics, groups and panels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from results.analysis.sort_keys import sort_key
from results.figures.drawing.text import (
    differing,
    distinct,
    drawable,
    shorten,
    start_of,
    width,
    wrap,
)
from results.figures.replicates import ReplicateGroup, short_paths, value_text
from results.metrics import Metric, decimal
from sweep_plugins.schemes.rounded_label import rounded_labels

_LONGEST_MODULI = 4
_LEAST_PREFIX = 20.0
_LONGEST_VALUE = 120.0
_MOST_LINES = 3


def metric_label(metric: Metric) -> str:
    """The name of an axis, with its unit where that is known."""
    return drawable(metric.label or metric.name)


def moduli_text(moduli: Sequence[float]) -> str:
    """Such as "1.00, 0.33, 0.33"; of many the largest."""
    shown = [decimal(modulus, 2) for modulus in moduli[:_LONGEST_MODULI]]
    return ", ".join([*shown, "…"] if len(moduli) > _LONGEST_MODULI else shown)


NO_SCHEME = "none"
"""The scheme of a network that takes none, as the database has it."""


def group_labels(
    groups: Sequence[ReplicateGroup], limit: float, *, stacked: bool = False
) -> dict[tuple[str, str], str]:
    """Labels of at most `limit` points by (model, scheme): root moduli, or else the scheme.

    The model is named where there are several, and the scheme, in brackets, where moduli alone do
    not tell it; both on lines of their own if `stacked`. Of long ones it is the part that differs.
    A network that follows no scheme is named by its model, and a trainer that has one setting by
    its name. Settings of other trainers have a few
    lines if `stacked`.
    """
    known = {(group.model, group.scheme): group for group in groups}
    several_models = len({group.model for group in groups}) > 1
    schemes = rounded_labels(group.scheme for group in known.values())
    texts = {key: _scheme_text(group, schemes) for key, group in known.items()}
    counts = Counter((model if several_models else "", text) for (model, _), text in texts.items())
    exact: dict[tuple[str, str], str] = {}
    between = "\n" if stacked else " "
    for key, text in texts.items():
        prefix = key[0] if several_models else ""
        exact[key] = drawable(text)
        if counts[prefix, text] > 1:
            scheme = f"({drawable(schemes[key[1]])})"
            both = f"{exact[key]}{between}{scheme}"
            # Of both in one line there would be little to see.
            exact[key] = both if stacked or width(both) <= limit else scheme

    def label(key: tuple[str, str], text: str, cut: Callable[[str, float], str]) -> str:
        model, scheme = key
        if scheme in (NO_SCHEME, model):
            return shorten(drawable(model), limit)
        prefix = drawable(model) if several_models else ""
        if stacked:
            lines = [shorten(prefix, limit)] if prefix else []
            values = wrap(text, limit, at=", ") if known[key].own else []
            if 1 < len(values) <= _MOST_LINES:
                return "\n".join([*lines, *values])
            return "\n".join([*lines, *(cut(line, limit) for line in text.split("\n"))])
        return _fitted(prefix, text, limit, cut)

    labels = {key: label(key, text, shorten) for key, text in exact.items()}
    alike: dict[str, list[tuple[str, str]]] = {}
    for key, made in labels.items():
        alike.setdefault(made, []).append(key)
    for keys in alike.values():
        if len(keys) > 1:
            parts = differing([exact[key] for key in keys])
            labels |= {
                key: label(key, part, start_of) for key, part in zip(keys, parts, strict=True)
            }
    return dict(zip(labels, distinct(list(labels.values())), strict=True))


def _fitted(prefix: str, text: str, limit: float, cut: Callable[[str, float], str]) -> str:
    """Both in at most `limit` points; the prefix is cut first, unless little of it would stay."""
    if not prefix:
        return cut(text, limit)
    room = limit - width(f" {text}")
    if room < _LEAST_PREFIX:
        return cut(f"{prefix} {text}", limit)
    return f"{shorten(prefix, room)} {text}"


def _scheme_text(group: ReplicateGroup, schemes: Mapping[str, str]) -> str:
    if group.root_moduli is not None:
        return moduli_text(group.root_moduli)
    names = {"k": "learned kₙ", "lambda": "learned λₙ"}
    return names.get(str(group.learned), schemes[group.scheme])


def nouns(groups: Iterable[ReplicateGroup]) -> str:
    """What groups are: networks, or settings of other trainers."""
    return "settings" if any(group.own for group in groups) else "networks"


def scheme_axis_label(groups: Sequence[ReplicateGroup]) -> str:
    """What the labels of `group_labels` are."""
    if nouns(groups) == "settings":
        return "Setting"
    if any(group.scheme == NO_SCHEME for group in groups):
        return "Network"
    return "Root moduli" if all(group.root_moduli is not None for group in groups) else "Scheme"


def scheme_note(groups: Sequence[ReplicateGroup]) -> str:
    """Says what numbers in the names are, where no axis does."""
    known = any(group.root_moduli is not None for group in groups)
    return "schemes by their root moduli" if known else ""


@dataclass(frozen=True)
class Facet:
    """The groups of one panel; `title` says what tells it from the other panels."""

    title: str
    groups: list[ReplicateGroup]


def facets(
    groups: Sequence[ReplicateGroup],
    *,
    by: Sequence[str] = ("dataset", "depth"),
    together: Collection[str] = (),
) -> list[Facet]:
    """Panels by these attributes of a group and by its setting, in order.

    Arms that differ in the config paths `together` alone share a panel.
    """
    members: dict[str, list[ReplicateGroup]] = {}
    for group in groups:
        members.setdefault(json.dumps(_parts(group, by, together), default=str), []).append(group)
    panels = [(_parts(alike[0], by, together), alike) for alike in members.values()]
    panels.sort(key=lambda panel: [sort_key(value) for _, value in panel[0]])
    varying = _varying([parts for parts, _ in panels])
    titles = distinct([_joined([p for p in parts if p[0] in varying]) for parts, _ in panels])
    return [Facet(title, alike) for title, (_, alike) in zip(titles, panels, strict=True)]


def common_text(groups: Sequence[ReplicateGroup]) -> str:
    """What all groups have in common, such as "zerosnet, digits, depth 32"."""
    parts = [_parts(group, ("model", "dataset", "depth")) for group in groups]
    varying = _varying(parts)
    return _joined([part for part in parts[0] if part[0] not in varying])


_Parts = list[tuple[str, Any]]


def _parts(group: ReplicateGroup, by: Sequence[str], apart_from: Collection[str] = ()) -> _Parts:
    setting = [part for part in group.setting if part[0] not in apart_from]
    known = ((name, getattr(group, name)) for name in by)
    return [*((name, value) for name, value in known if value is not None), *setting]


def _varying(parts: Sequence[_Parts]) -> set[str]:
    values: dict[str, set[str]] = {}
    for name, value in chain.from_iterable(parts):
        values.setdefault(name, set()).add(json.dumps(value, default=str))
    return {name for name, found in values.items() if len(found) > 1}


def _joined(parts: Sequence[tuple[str, Any]]) -> str:
    """Such as "digits, depth 32, lr 0.05"; a path is cut to its last word if that is enough."""
    texts = []
    for (name, value), called in zip(parts, short_paths([name for name, _ in parts]), strict=True):
        shown = shorten(drawable(value_text(value)), _LONGEST_VALUE)
        texts.append(shown if name in ("model", "dataset") else f"{drawable(called)} {shown}")
    return ", ".join(texts)
