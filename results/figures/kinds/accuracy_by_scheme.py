"""Accuracy by scheme, in the order of the largest root modulus (after ZeroSNet, Figure 4)."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from results.figures.data import Selection, Undrawable
from results.figures.drawing.labels import (
    Facet,
    arm_labels,
    common_text,
    facets,
    metric_label,
    scheme_axis_label,
    scheme_note,
)
from results.figures.drawing.legend import diverged_key, stability_keys
from results.figures.drawing.notes import averaged_over, not_shown
from results.figures.drawing.page import open_page
from results.figures.drawing.style import DIVERGED, LOOKS, SMALL, look_of
from results.figures.replicates import Arm

_MOST_SCHEMES = 60
_MOST_PANELS = 12
_ROW = 0.155
_LABEL = 100.0
_WIDE_LABEL = 140.0


@dataclass(frozen=True)
class Data:
    selection: Selection
    panels: list[Facet]
    #: (model, scheme) from the top down.
    schemes: list[tuple[str, str]]


def collect(selection: Selection) -> Data:
    """Raises Undrawable."""
    arms = selection.arms
    if not any(arm.values(selection.metric) for arm in arms):
        raise Undrawable(f"no done run has a value of {selection.metric.name}")
    schemes = list(dict.fromkeys((arm.model, arm.scheme) for arm in arms))
    if len(schemes) > _MOST_SCHEMES:
        raise Undrawable(
            f"{len(schemes)} schemes are more than the {_MOST_SCHEMES} that fit on a page:"
            " choose some with --where"
        )
    panels = facets(arms)
    if len(panels) > _MOST_PANELS:
        raise Undrawable(
            f"{len(panels)} panels (datasets, depths, settings) are more than the {_MOST_PANELS}"
            " that fit on a page: choose some with --where"
        )
    return Data(selection, panels, schemes)


def plot(data: Data) -> Figure:
    selection = data.selection
    arms = selection.arms
    count = len(data.panels)
    columns = 3 if count in (5, 6, 9) else min(count, 4)
    wide = columns > 1
    axis_label = scheme_axis_label(arms)
    page = open_page(
        count,
        columns=columns,
        wide=wide,
        panel_height=0.35 + _ROW * max(len(data.schemes), 3),
        legend=stability_keys(arms) + diverged_key(arms),
        notes=[
            common_text(arms),
            scheme_note(arms) if axis_label == "Scheme" else "",
            averaged_over(arms, selection.metric),
            *not_shown(arms, selection),
        ],
        x_label=metric_label(selection.metric.metric),
        y_label=axis_label,
    )
    labels = arm_labels(arms, _WIDE_LABEL if wide else _LABEL)
    for axes, panel in zip(page.panels, data.panels, strict=True):
        axes.set_title(panel.title)
        axes.grid(axis="y")
        _draw_arms(axes, panel.arms, data)
    axes = page.panels[0]
    axes.set_yticks(range(len(data.schemes)), [labels[scheme] for scheme in data.schemes])
    axes.set_ylim(len(data.schemes) - 0.4, -0.6)
    if any(arm.diverged for arm in arms):
        _leave_room_for_marks(axes)
    return page.finish()


def _draw_arms(axes: Axes, arms: list[Arm], data: Data) -> None:
    metric = data.selection.metric
    for look in LOOKS:
        alike = [arm for arm in arms if look_of(arm.zero_stable) is look and arm.values(metric)]
        if not alike:
            continue
        samples = [arm.sample(metric) for arm in alike]
        axes.errorbar(
            [s.mean for s in samples],
            [data.schemes.index((arm.model, arm.scheme)) for arm in alike],
            xerr=[s.std for s in samples],
            linestyle="none",
            elinewidth=0.8,
            capsize=1.8,
            label=look.name,
            **look.marks,
        )
    beside_axis = blended_transform_factory(axes.transAxes, axes.transData)
    for arm in arms:
        if arm.diverged:
            row = data.schemes.index((arm.model, arm.scheme))
            axes.plot([0.04], [row], transform=beside_axis, label="diverged", **DIVERGED)
            axes.annotate(
                f"{arm.diverged} of {len(arm.runs)}",
                (0.04, row),
                xycoords=beside_axis,
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=SMALL,
            )


def _leave_room_for_marks(axes: Axes) -> None:
    low, high = axes.get_xlim()
    axes.set_xlim(low - 0.3 * (high - low), high)
