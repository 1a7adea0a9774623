"""Accuracy of ZeroSNet(λ) along λ, above the largest root modulus that λ gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from results.figures.data import Selection, Undrawable, check_fits
from results.figures.drawing.labels import Facet, common_text, facets, metric_label
from results.figures.drawing.legend import Key, diverged_key, stability_keys
from results.figures.drawing.marks import draw_points, leave_room_below, mark_below
from results.figures.drawing.notes import averaged_over, left_out, not_shown
from results.figures.drawing.page import fitted, open_page
from results.figures.drawing.style import BLACK, FAINT, GREY, LOOKS, look_of
from results.figures.kinds.lambda_axis import limits, set_scale
from results.figures.kinds.zerosnet import lambda_of, largest_modulus
from results.figures.replicates import ReplicateGroup
from results.queries.row_columns import Column

_MOST_PANELS = 6


@dataclass(frozen=True)
class Data:
    """One panel of accuracies for each condition; `others` counts the runs of other schemes."""

    selection: Selection
    panels: list[Facet]
    others: int


def collect(selection: Selection) -> Data:
    """Raises Undrawable."""
    groups = [group for group in selection.groups if lambda_of(group.alpha, group.beta) is not None]
    if not groups:
        raise Undrawable("no done run has a scheme of the family ZeroSNet(λ)")
    if len({_lambda(group) for group in groups}) < 2:
        raise Undrawable(f"all runs have λ = {_lambda(groups[0]):g}; a line needs two or more")
    selection.check_metric(groups)
    panels = facets(groups, by=("model", "dataset", "depth"))
    check_fits(len(panels), _MOST_PANELS, "panels (models, datasets, depths, settings)")
    return Data(selection, panels, len(selection.groups) - len(groups))


def _lambda(group: ReplicateGroup) -> float:
    """Of a group that `collect` has chosen."""
    value = lambda_of(group.alpha, group.beta)
    assert value is not None
    return value


def plot(data: Data) -> Figure:
    """Draw accuracy and the largest root modulus over lambda."""
    selection = data.selection
    groups = [group for panel in data.panels for group in panel.groups]
    accuracy_height = 1.7 if len(data.panels) == 1 else 1.4
    heights = [accuracy_height] * len(data.panels) + [1.0]
    page = open_page(
        len(heights),
        panel_height=accuracy_height,
        heights=heights,
        legend=[
            *stability_keys(groups),
            Key("zero-stable region", Patch(facecolor=FAINT, linewidth=0)),
            *diverged_key(groups),
        ],
        notes=[
            common_text(groups),
            averaged_over(groups, selection.metric),
            left_out(data.others, "networks with other schemes"),
            *not_shown(groups, selection),
        ],
        x_label="λ",
        share="x",
    )
    metric_name = metric_label(selection.metric.metric)
    for axes, panel in zip(page.panels, data.panels, strict=False):
        axes.set_title(panel.title)
        axes.set_ylabel("\n".join(fitted(metric_name, accuracy_height * 72 - 25)))
        _draw_accuracies(axes, panel.groups, selection.metric)
    _draw_moduli(page.panels[-1], groups)
    set_scale(page.panels, [_lambda(group) for group in groups])
    page.figure.align_ylabels(page.panels)
    return page.finish()


def _draw_accuracies(axes: Axes, groups: Sequence[ReplicateGroup], metric: Column) -> None:
    draw_points(axes, groups, metric, _lambda)
    failed = [_lambda(group) for group in groups if group.diverged]
    if failed:
        leave_room_below(axes)
        mark_below(axes, failed)


def _draw_moduli(axes: Axes, groups: Sequence[ReplicateGroup]) -> None:
    values = [_lambda(group) for group in groups]
    low, high, nearest = limits(values)
    positive = np.geomspace(nearest / 10, high, 300)
    negative = -np.geomspace(-low, nearest / 10, 300)
    for side in (negative, positive):
        axes.plot(side, [largest_modulus(v) for v in side], color=GREY, linewidth=0.8, zorder=1)
    axes.axhline(1.0, color=BLACK, linewidth=0.5, linestyle=(0, (1, 1)), zorder=0)
    for look in LOOKS:
        shown = sorted({_lambda(g) for g in groups if look_of(g.zero_stable) is look})
        if shown:
            moduli = [largest_modulus(value) for value in shown]
            axes.plot(shown, moduli, linestyle="none", label=look.name, **look.marks)
    top = max(1.5, 1.1 * max(largest_modulus(value) for value in values))
    axes.set_ylim(1 - 0.15 * (top - 1), top)
    axes.set_ylabel("Largest root\nmodulus")
