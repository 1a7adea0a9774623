"""Names of lines at their right ends, moved apart where they would overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import ScaledTranslation

from results.figures.drawing.style import PALE, SMALL

MOST_LABELS = 18
NAMED_EXTREMES = 4

_POINTS = 72.0
_LINE = 1.15
_DISTANCE = 8.0


@dataclass(frozen=True, slots=True)
class _End:
    x: float
    y: float
    text: str
    color: str


class EndLabels:
    """The labels of one panel; of more than MOST_LABELS, the highest and the lowest."""

    def __init__(self, axes: Axes) -> None:
        self._axes = axes
        self._ends: list[_End] = []
        self._drawn: list[Annotation] = []

    def add(self, x: float, y: float, text: str, color: str) -> None:
        """One label for a line that ends at (x, y), in data coordinates."""
        self._ends.append(_End(x, y, text, color))

    def draw(self) -> None:
        """Draws the labels, so that the next layout leaves room for them."""
        away = ScaledTranslation(_DISTANCE / _POINTS, 0, self._axes.figure.dpi_scale_trans)
        self._ends = extremes(sorted(self._ends, key=lambda end: end.y))
        for end in self._ends:
            self._drawn.append(
                self._axes.annotate(
                    end.text,
                    xy=(end.x, end.y),
                    xytext=(1.0, 0.5),
                    textcoords=self._axes.transAxes + away,
                    fontsize=SMALL,
                    color=end.color,
                    va="center",
                    annotation_clip=False,
                    arrowprops={
                        "arrowstyle": "-",
                        "color": PALE,
                        "linewidth": 0.5,
                        "patchA": None,
                        "shrinkA": 2,
                        "shrinkB": 2,
                        "relpos": (0, 0.5),
                    },
                )
            )

    def spread(self) -> None:
        """Moves the labels to the heights of their lines, or as near as they fit."""
        scale = self._axes.yaxis.get_transform()
        low, high, *ends = scale.transform([*self._axes.get_ylim(), *(end.y for end in self._ends)])
        wanted = [float((end - low) / (high - low)) for end in ends]
        for label, y in zip(self._drawn, spread(wanted, self._gap(), 0.0, 1.0), strict=True):
            label.set_position((1.0, y))

    def _gap(self) -> float:
        """The height of a line of text, as a fraction of the panel's."""
        height = self._axes.bbox.height / self._axes.figure.dpi * _POINTS
        return SMALL * _LINE / height


def extremes(ends: Sequence[_End]) -> list[_End]:
    """All of them, or if they are too many, NAMED_EXTREMES from the start and from the end."""
    if len(ends) <= MOST_LABELS:
        return list(ends)
    return [*ends[:NAMED_EXTREMES], *ends[-NAMED_EXTREMES:]]


def height_for(lines: int) -> float:
    """The height in inches that the labels of this many lines need."""
    return min(lines, MOST_LABELS) * SMALL * _LINE / _POINTS


def unnamed_note(lines: int) -> str:
    """For the small print, where not every line is named."""
    if lines <= MOST_LABELS:
        return ""
    return f"of {lines} lines, the {NAMED_EXTREMES} highest and lowest at the right are named"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places at least `gap` apart, in the order of `wanted` (ascending) and near to it.

    Least squares by pooling neighbours that would overlap. They stay in [low, high] if they fit.
    """
    blocks: list[tuple[float, int]] = []  # (place of the first, how many, one gap apart)
    for place in wanted:
        blocks.append((place, 1))
        while len(blocks) > 1 and blocks[-2][0] + blocks[-2][1] * gap > blocks[-1][0]:
            (first, many), (second, more) = blocks[-2:]
            # The mean of where each member would have its block's first place.
            start = (first * many + (second - many * gap) * more) / (many + more)
            blocks[-2:] = [(start, many + more)]
    places = [first + i * gap for first, count in blocks for i in range(count)]
    for index in reversed(range(len(places))):
        places[index] = min(places[index], high - (len(places) - 1 - index) * gap)
    return [max(place, low + index * gap) for index, place in enumerate(places)]
