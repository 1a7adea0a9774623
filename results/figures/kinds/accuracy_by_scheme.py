"""Accuracy by scheme, in the order of the largest root modulus (after ZeroSNet, Figure 4)."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from results.figures.data import Selection, check_fits
from results.figures.drawing.labels import (
    Facet,
    common_text,
    facets,
    group_labels,
    metric_label,
    nouns,
    scheme_axis_label,
    scheme_note,
)
from results.figures.drawing.legend import diverged_key, stability_keys
from results.figures.drawing.marks import draw_points
from results.figures.drawing.notes import averaged_over, left_out, not_shown
from results.figures.drawing.page import open_page
from results.figures.drawing.style import DIVERGED, SMALL
from results.figures.drawing.text import drawable
from results.figures.replicates import ReplicateGroup

_MOST_SCHEMES = 60
_MOST_PANELS = 12
_ROW = 0.155
_LABEL = 100.0
_WIDE_LABEL = 140.0


@dataclass(frozen=True)
class Data:
    """One panel for each condition, with the same schemes in each."""

    selection: Selection
    #: Those that have the metric.
    groups: list[ReplicateGroup]
    panels: list[Facet]
    #: (model, scheme) from the top down.
    schemes: list[tuple[str, str]]


def collect(selection: Selection) -> Data:
    """Raises Undrawable."""
    selection.check_metric(selection.groups)
    groups = [group for group in selection.groups if not group.lacks(selection.metric)]
    schemes = list(dict.fromkeys((group.model, group.scheme) for group in groups))
    check_fits(len(schemes), _MOST_SCHEMES, "schemes")
    panels = facets(groups)
    check_fits(len(panels), _MOST_PANELS, "panels (datasets, depths, settings)")
    return Data(selection, groups, panels, schemes)


def plot(data: Data) -> Figure:
    """Draw accuracy by scheme, the schemes from the top down."""
    selection, groups = data.selection, data.groups
    count = len(data.panels)
    columns = 3 if count in (5, 6, 9) else min(count, 4)
    wide = columns > 1
    axis_label = scheme_axis_label(groups)
    page = open_page(
        count,
        columns=columns,
        wide=wide,
        panel_height=0.35 + _ROW * max(len(data.schemes), 3),
        legend=stability_keys(groups) + diverged_key(groups),
        notes=[
            common_text(groups),
            scheme_note(groups) if axis_label == "Scheme" else "",
            averaged_over(groups, selection.metric),
            left_out(
                len(selection.groups) - len(groups),
                f"{nouns(groups)} without {drawable(selection.metric.name)}",
            ),
            *not_shown(groups, selection),
        ],
        x_label=metric_label(selection.metric.metric),
        y_label=axis_label,
    )
    # A setting is told by all of its values; most schemes by less.
    long = wide or axis_label == "Setting"
    labels = group_labels(groups, _WIDE_LABEL if long else _LABEL)
    for axes, panel in zip(page.panels, data.panels, strict=True):
        axes.set_title(panel.title)
        axes.grid(axis="y")
        _draw_groups(axes, panel.groups, data)
    axes = page.panels[0]
    axes.set_yticks(range(len(data.schemes)), [labels[scheme] for scheme in data.schemes])
    axes.set_ylim(len(data.schemes) - 0.4, -0.6)
    if any(group.diverged for group in groups):
        low, high = axes.get_xlim()
        axes.set_xlim(low - 0.3 * (high - low), high)
    return page.finish()


def _draw_groups(axes: Axes, groups: list[ReplicateGroup], data: Data) -> None:
    def line_of(group: ReplicateGroup) -> int:
        return data.schemes.index((group.model, group.scheme))

    draw_points(axes, groups, data.selection.metric, line_of, sideways=True)
    next_to_axis = blended_transform_factory(axes.transAxes, axes.transData)
    for group in groups:
        if group.diverged:
            row = line_of(group)
            axes.plot([0.04], [row], transform=next_to_axis, label="diverged", **DIVERGED)
            axes.annotate(
                f"{group.diverged} of {len(group.runs)}",
                (0.04, row),
                xycoords=next_to_axis,
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=SMALL,
            )
