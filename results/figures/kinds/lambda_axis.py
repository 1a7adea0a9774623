"""The axis of λ: logarithmic to both sides of 0, with the zero-stable region shaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isclose
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from results.figures.drawing.style import COLUMN, FAINT
from results.figures.drawing.text import width
from results.figures.kinds.zerosnet import REGION

#: Of the axis on the page, in points.
_LENGTH = COLUMN * 72 - 50


def limits(values: Sequence[float]) -> tuple[float, float, float]:
    """The ends of the axis, around both ends of the region, and how near to 0 the values come."""
    low, high = 1.5 * min(*values, -1.5), 1.5 * max(*values, 1.5)
    return low, high, min(*map(abs, values), REGION[1])


def set_scale(panels: Sequence[Axes], values: Sequence[float]) -> None:
    """Like a logarithm to both sides of 0, which no λ can be, and smooth there."""
    low, high, nearest = limits(values)
    linear = nearest / 2

    def forward(value: Any) -> Any:
        return np.arcsinh(np.asarray(value) / linear)

    def inverse(value: Any) -> Any:
        return np.sinh(np.asarray(value)) * linear

    for axes in panels:
        axes.set_xscale("function", functions=(forward, inverse))
        axes.set_xlim(low, high)
        axes.axvspan(low, REGION[0], color=FAINT, linewidth=0, zorder=-1)
        axes.axvspan(REGION[1], high, color=FAINT, linewidth=0, zorder=-1)
    points = _LENGTH / float(forward(high) - forward(low))
    chosen = ticks(low, high, nearest, lambda value: float(forward(value)) * points)
    axes = panels[0]
    axes.xaxis.set_major_locator(FixedLocator(sorted(chosen)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))


def ticks(low: float, high: float, nearest: float, place: Callable[[float], float]) -> list[float]:
    """Values to be labelled: first the ends of the region, then round numbers that find room.

    None is nearer to 0 than `nearest`; `place` gives where a value is, in points.
    """
    decades = [10.0**power for power in range(-12, 13)]
    candidates = [*REGION, 1.0, *decades, *(-d for d in decades)]
    candidates += [sign * step * d for step in (5, 2) for d in decades for sign in (1, -1)]
    chosen: list[float] = []
    for value in candidates:
        if (
            low <= value <= high
            and abs(value) >= nearest * (1 - 1e-9)
            and all(
                abs(place(value) - place(other))
                > (width(tick_text(value)) + width(tick_text(other))) / 2 + 4
                for other in chosen
            )
        ):
            chosen.append(value)
    return chosen


def tick_text(value: float) -> str:
    """Such as "−1", "1/3" or "0.2"."""
    if isclose(value, REGION[1]):
        return "1/3"
    return f"{value:g}".replace("-", "−")
