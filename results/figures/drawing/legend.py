"""A legend above the panels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D

from results.figures.drawing.style import DIVERGED, LOOKS, look_of
from results.figures.drawing.text import width
from results.figures.replicates import ReplicateGroup

_HANDLE = 22.0
_BETWEEN_KEYS = 12.0


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a legend."""

    label: str
    handle: Artist


def key_columns(legend: Sequence[Key], points: float) -> int:
    """How many entries fit side by side on `points`."""
    if not legend:
        return 1
    widest = max(width(key.label) for key in legend) + _HANDLE + _BETWEEN_KEYS
    return max(1, min(len(legend), int(points // widest)))


def draw_legend(figure: FigureBase, keys: Sequence[Key], columns: int) -> None:
    """Draws the entries in `columns` columns above all panels."""
    # Given as labels, names with a leading underscore would be left out.
    placeholders = [str(index) for index in range(len(keys))]
    drawn = figure.legend(
        [key.handle for key in keys],
        placeholders,
        loc="outside upper left",
        borderaxespad=0.3,
        borderpad=0.2,
        ncols=columns,
        handlelength=2.2,
        handletextpad=0.5,
        columnspacing=1.4,
        labelspacing=0.3,
    )
    for text, key in zip(drawn.get_texts(), keys, strict=True):
        text.set_text(key.label)


def stability_keys(groups: Iterable[ReplicateGroup]) -> list[Key]:
    """One entry for each kind of network among the groups."""
    shown = {look_of(group.zero_stable) for group in groups if not group.own}
    return [
        Key(look.name, Line2D([], [], linestyle="none", **look.marks))
        for look in LOOKS
        if look in shown
    ]


def diverged_key(groups: Iterable[ReplicateGroup]) -> list[Key]:
    """The mark of diverged runs, if there are any."""
    if not any(group.diverged for group in groups):
        return []
    return [Key("runs diverged", Line2D([], [], **DIVERGED))]
