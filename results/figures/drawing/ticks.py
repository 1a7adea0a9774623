"""Numbers along an axis, where they have no room side by side."""

from __future__ import annotations

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from results.figures.drawing.text import width

_GAP = 4.0
_POINTS = 72.0


def thin_ticks(axes: Axes) -> None:
    """Takes as many ticks off x as have no room for their labels; once its width is known.

    matplotlib leaves room for labels of four digits.
    """
    locator = axes.xaxis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        for intervals in range(len(axes.get_xticks()) - 1, 0, -1):
            if not _meet(axes):
                return
            locator.set_params(nbins=intervals, min_n_ticks=min(intervals, 2))


def _meet(axes: Axes) -> bool:
    low, high = sorted(axes.get_xlim())
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    labels = axes.xaxis.get_major_formatter().format_ticks(ticks)
    dots = axes.transData.transform([(tick, 0.0) for tick in [low, *ticks]])[1:, 0]
    points = dots * _POINTS / axes.figure.dpi
    return any(
        after - before < (wide + also_wide) / 2 + _GAP
        for (before, wide), (after, also_wide) in pairwise(
            zip(points, map(width, labels), strict=True)
        )
    )
