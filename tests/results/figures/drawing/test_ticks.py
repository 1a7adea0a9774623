from __future__ import annotations

from itertools import pairwise

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from results.figures.drawing.style import styled
from results.figures.drawing.ticks import thin_ticks


@pytest.mark.parametrize("inches", [0.5, 1.2, 3.5])
@pytest.mark.parametrize("span", [(0, 1), (0, 45_000), (0, 4_500_000), (0.00012, 0.00087), (5, 5)])
def test_labels_of_ticks_do_not_meet(inches, span):
    with styled():
        figure = Figure(figsize=(inches, 1))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0.4, 1, 0.6))
        axes.plot(span, [0, 1])
        thin_ticks(axes)
        low, high = axes.get_xlim()
        figure.draw_without_rendering()
        boxes = [
            label.get_window_extent()
            for tick, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
            if low <= tick <= high
        ]
    assert boxes
    assert all(one.x1 < other.x0 for one, other in pairwise(boxes))


def test_chosen_ticks_stay():
    axes = Figure(figsize=(1, 1)).add_subplot()
    axes.xaxis.set_major_locator(FixedLocator([0.1, 0.11]))
    thin_ticks(axes)
    assert list(axes.get_xticks()) == [0.1, 0.11]
