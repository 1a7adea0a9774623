"""The sheet that panels are drawn on: its size, shared labels, legend and note."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from results.figures.drawing.end_labels import EndLabels
from results.figures.drawing.legend import Key, draw_legend, key_columns
from results.figures.drawing.style import COLUMN, LARGE, SMALL, WIDE
from results.figures.drawing.text import shorten, shortened, width, wrap
from results.figures.drawing.ticks import thin_ticks

_POINTS = 72.0
_EDGE = 3.0
_LINE = 1.3


@dataclass
class Page:
    """A figure with its panels; draw on them, then `finish`.

    From top to bottom: the legend, the panels, the label of all x axes, the note. Panels share
    the labels of their axes, which stand once for all.
    """

    figure: Figure
    panels: list[Axes]
    columns: int
    x_label: Text | None
    y_label: Text | None
    end_labels: list[EndLabels] = field(default_factory=list)

    def label_ends(self, axes: Axes) -> EndLabels:
        """Labels at the right ends of the lines in one panel; they are placed by `finish`."""
        labels = EndLabels(axes)
        self.end_labels.append(labels)
        return labels

    def finish(self) -> Figure:
        """Lays everything out, once and for all, and gives the figure."""
        for labels in self.end_labels:
            labels.draw()
        layout = self.figure.get_layout_engine()
        assert layout is not None
        layout.execute(self.figure)
        for axes in self.panels:
            axes.apply_aspect()  # as a drawing does, which is not needed yet
        for labels in self.end_labels:
            labels.spread()
        for axes in self.panels:
            thin_ticks(axes)
        self._cut_titles()
        self._center_labels()
        # A later drawing, at another resolution, moves nothing.
        self.figure.set_layout_engine("none")
        return self.figure

    def _cut_titles(self) -> None:
        """Cuts titles where they would meet those of the next panels or the edge of the page.

        A layout leaves room for their height, not for their width.
        """
        points = self.figure.get_figwidth() * _POINTS
        boxes = [axes.get_position() for axes in self.panels]
        pitch = boxes[1].x0 - boxes[0].x0 if self.columns > 1 else 1.0
        titles = [axes.get_title() for axes in self.panels]
        cut, rooms = [], []
        for title, box in zip(titles, boxes, strict=True):
            center = (box.x0 + box.x1) / 2
            rooms.append(min(pitch, 2 * center, 2 * (1 - center)) * points - 2 * _EDGE)
            cut.append("\n".join(shorten(line, rooms[-1]) for line in title.split("\n")))
        if len(set(cut)) < len(set(titles)):
            columns = [title.split("\n") for title in titles]
            lines = [line for title in columns for line in title]
            short = dict(zip(lines, shortened(lines, min(rooms)), strict=True))
            cut = ["\n".join(short[line] for line in title) for title in columns]
        for axes, title in zip(self.panels, cut, strict=True):
            axes.set_title(title)

    def _center_labels(self) -> None:
        """Moves the shared labels to the middle of the panels, as far as the page reaches."""
        boxes = [axes.get_position() for axes in self.panels]
        if self.x_label:
            half = width(self.x_label.get_text(), LARGE) / 2 + _EDGE
            half /= self.figure.get_figwidth() * _POINTS
            middle = (min(box.x0 for box in boxes) + max(box.x1 for box in boxes)) / 2
            self.x_label.set_x(min(max(middle, half), 1 - half))
        if self.y_label:
            self.y_label.set_y((min(box.y0 for box in boxes) + max(box.y1 for box in boxes)) / 2)


def open_page(
    count: int,
    *,
    columns: int = 1,
    wide: bool = False,
    panel_height: float,
    heights: Sequence[float] = (),
    legend: Sequence[Key] = (),
    notes: Sequence[str] = (),
    x_label: str = "",
    y_label: str = "",
    share: Literal["both", "x", "y", "none"] = "both",
) -> Page:
    """A page with `count` panels in rows of `columns`.

    Args:
        wide: as wide as two columns of a paper rather than one.
        panel_height: of a row of panels with its tick labels and title, in inches.
        heights: of rows that differ, in inches, instead of `panel_height`.
        notes: phrases for the small print at the bottom.
        share: which axes have the same limits in all panels; only the outer panels label them.
    """
    rows = math.ceil(count / columns)
    row_heights = list(heights) or [panel_height] * rows
    inches = WIDE if wide else COLUMN
    points = inches * _POINTS
    in_a_row = key_columns(legend, points)
    note = wrap("; ".join(part for part in notes if part), points - 2 * _EDGE)

    height = sum(row_heights) * _POINTS
    if legend:
        height += math.ceil(len(legend) / in_a_row) * SMALL * _LINE + 2 * _EDGE
    if x_label:
        height += LARGE * _LINE + 2 * _EDGE
    note_height = len(note) * SMALL * _LINE + _EDGE

    figure = Figure(figsize=(inches, (height + note_height) / _POINTS))
    FigureCanvasAgg(figure)
    pad = _EDGE / _POINTS
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=pad, h_pad=pad))
    (body,), (foot,) = figure.subfigures(2, 1, squeeze=False, height_ratios=[height, note_height])
    grid = body.add_gridspec(rows, columns, height_ratios=row_heights)
    panels: list[Axes] = []
    for index in range(count):
        first = panels[0] if panels else None
        axes = body.add_subplot(
            grid[index // columns, index % columns],
            sharex=first if share in ("both", "x") else None,
            sharey=first if share in ("both", "y") else None,
        )
        if share in ("both", "x"):
            axes.tick_params(labelbottom=index + columns >= count)
        if share in ("both", "y"):
            axes.tick_params(labelleft=index % columns == 0)
        panels.append(axes)
    if legend:
        draw_legend(body, legend, in_a_row)
    x_label = shorten(x_label, points - 4 * _EDGE, LARGE)
    y_label = "\n".join(fitted(y_label, sum(row_heights) * _POINTS - 20))
    foot.text(_EDGE / points, 1, "\n".join(note), va="top", color="#333333")
    return Page(
        figure,
        panels,
        columns,
        body.supxlabel(x_label, fontsize=LARGE) if x_label else None,
        body.supylabel(y_label, fontsize=LARGE, ma="center") if y_label else None,
    )


def small_multiples(counts: Collection[int], *, dense: bool = False) -> tuple[int, bool]:
    """How many columns suit groups of these sizes of small panels, and if they need a wide page.

    Groups of one size get a row each, if that is short enough. Panels with little in them may
    stand `dense`.
    """
    sizes, count = set(counts), sum(counts)
    if len(counts) > 1 and sizes <= {2, 3, 4, 5, 6} and len(sizes) == 1:
        columns = sizes.pop()
        return columns, columns > 2
    if count <= 4:
        return min(count, 2), False
    if dense and count <= 9:
        return 3, False
    for most, columns in ((6, 3), (8, 4), (10, 5), (12, 4)):
        if count <= most:
            return columns, True
    return 6, True


def title_height(lines: int) -> float:
    """The height of a panel's title of this many lines, in inches."""
    return lines * SMALL * 1.2 / _POINTS


def fitted(label: str, room: float) -> list[str]:
    """An axis label in one line, or in two if it is longer than its axis of `room` points."""
    if not label:
        return []
    lines = wrap(label, max(room, 40.0), LARGE)
    if len(lines) <= 2:
        return lines
    return [lines[0], shorten(" ".join(lines[1:]), max(room, 40.0), LARGE)]
