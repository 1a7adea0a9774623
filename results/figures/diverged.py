"""Marks of diverged runs, which have no accuracy, along the bottom of a panel."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from results.figures.drawing.style import DIVERGED

_ROOM = 0.12
_HEIGHT = 0.04


def leave_room_below(axes: Axes) -> None:
    """Widens the y axis for the marks; once for panels that share it, after all is drawn."""
    low, high = axes.get_ylim()
    axes.set_ylim(low - _ROOM * (high - low), high)


def mark_below(axes: Axes, places: Sequence[float]) -> None:
    """One cross at each of these values of x."""
    heights = [_HEIGHT] * len(places)
    axes.plot(places, heights, transform=axes.get_xaxis_transform(), label="diverged", **DIVERGED)
