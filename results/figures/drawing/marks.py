"""Means, their spread over seeds, and runs that diverged, as all figures draw them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from results.figures.drawing.end_labels import EndLabels
from results.figures.drawing.legend import Key
from results.figures.drawing.style import BLACK, DIVERGED, LOOKS, Look, look_of, patterns
from results.figures.replicates import ReplicateGroup, Sample
from results.queries.row_columns import Column

#: Error bars of more lines than this hide one another.
MOST_WITH_BARS = 6

_ROOM = 0.12
_HEIGHT = 0.04


def draw_points(
    axes: Axes,
    groups: Sequence[ReplicateGroup],
    metric: Column,
    place: Callable[[ReplicateGroup], float],
    *,
    sideways: bool = False,
) -> None:
    """Each group's mean ± std at its place along x; along y if `sideways`."""
    for look in LOOKS:
        alike = [g for g in groups if look_of(g.zero_stable) is look and g.values(metric)]
        if alike:
            places = [place(group) for group in alike]
            samples = [group.sample(metric) for group in alike]
            means, bars = [s.mean for s in samples], [s.std for s in samples]
            axes.errorbar(
                means if sideways else places,
                places if sideways else means,
                xerr=bars if sideways else None,
                yerr=None if sideways else bars,
                linestyle="none",
                elinewidth=0.8,
                capsize=1.8,
                label=look.name,
                **look.marks,
            )


class Line(NamedTuple):
    """Means by their places, along networks of the model and scheme of `group`."""

    group: ReplicateGroup
    points: Sequence[tuple[float, Sample]]


def draw_lines(
    axes: Axes,
    lines: Sequence[Line],
    labels: Mapping[tuple[str, str], str],
    ends: EndLabels,
    *,
    bars: bool,
) -> None:
    """Lines with their labels at the right ends, and error bars if there is room for `bars`."""
    looks = [look_of(line.group.zero_stable) for line in lines]
    for (group, points), look, pattern in zip(lines, looks, patterns(looks), strict=True):
        if not points:
            continue
        axes.errorbar(
            [place for place, _ in points],
            [point.mean for _, point in points],
            yerr=[point.std for _, point in points] if bars else None,
            linestyle=pattern,
            linewidth=1.0 if bars else 0.7,
            markersize=3.6 if bars else 2.6,
            elinewidth=0.6,
            capsize=1.5,
            label=f"{group.model}/{group.scheme}",
            **look.marks,
        )
        place, last = points[-1]
        ends.add(place, last.mean, labels[group.model, group.scheme], look.color)


def draw_band(axes: Axes, places: Sequence[float], points: Sequence[Sample], look: Look) -> None:
    """The range of the seeds."""
    low, high = [point.low for point in points], [point.high for point in points]
    if len(places) == 1:
        axes.vlines(places, low, high, color=look.color, alpha=0.2, linewidth=5.0, zorder=2)
        return
    axes.fill_between(places, low, high, color=look.color, alpha=0.2, linewidth=0, zorder=2)


def band_key(label: str) -> Key:
    """The legend's entry for what `draw_band` draws."""
    return Key(label, Patch(facecolor=BLACK, alpha=0.2, linewidth=0))


def draw_diverged(axes: Axes, places: Sequence[float], values: Sequence[float], look: Look) -> None:
    """One run to the last value that it had, and a cross there."""
    axes.plot(places, values, color=look.color, linewidth=0.6, zorder=3)
    axes.plot(places[-1:], values[-1:], label="diverged", zorder=6, **DIVERGED)


def leave_room_below(axes: Axes) -> None:
    """Widens the y axis for `mark_below`; once for panels that share it, after all is drawn."""
    low, high = axes.get_ylim()
    axes.set_ylim(low - _ROOM * (high - low), high)


def mark_below(axes: Axes, places: Sequence[float]) -> None:
    """One cross at each of these values of x."""
    heights = [_HEIGHT] * len(places)
    axes.plot(places, heights, transform=axes.get_xaxis_transform(), label="diverged", **DIVERGED)
