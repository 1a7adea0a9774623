"""Accuracy against the number of parameters (after LM-ResNet, Figure 2)."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from results.figures.data import Selection, Undrawable, check_fits
from results.figures.drawing.end_labels import height_for, unnamed_note
from results.figures.drawing.labels import (
    Facet,
    common_text,
    facets,
    group_labels,
    metric_label,
    scheme_note,
)
from results.figures.drawing.legend import diverged_key, stability_keys
from results.figures.drawing.marks import (
    MOST_WITH_BARS,
    Line,
    draw_lines,
    leave_room_below,
    mark_below,
)
from results.figures.drawing.notes import averaged_over, not_shown
from results.figures.drawing.page import open_page
from results.figures.replicates import ReplicateGroup
from results.queries.row_columns import Column

_MOST_PANELS = 6
_LABEL = 105.0
_MILLION = 1e6
#: Where ticks stand in a decade; the first that give three or more are taken.
_TICKS = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7), (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9))


@dataclass(frozen=True)
class Data:
    """One panel for each condition."""

    selection: Selection
    panels: list[Facet]


def collect(selection: Selection) -> Data:
    """Raises Undrawable."""
    groups = selection.groups
    selection.check_metric(groups)
    if any(group.parameters is None for group in groups):
        raise Undrawable("not every run says how many parameters its network has")
    if len({group.parameters for group in groups}) < 2:
        raise Undrawable(
            f"all networks have {groups[0].parameters:,} parameters; train another depth or width"
        )
    panels = facets(groups, by=("dataset",), together=("model.width",))
    check_fits(len(panels), _MOST_PANELS, "panels (datasets, settings)")
    return Data(selection, panels)


def plot(data: Data) -> Figure:
    """Draw accuracy over the number of parameters, one line for each family of networks."""
    selection = data.selection
    groups = selection.groups
    columns = min(len(data.panels), 2)
    most_lines = max(len(families(panel.groups)) for panel in data.panels)
    bars = most_lines <= MOST_WITH_BARS
    page = open_page(
        len(data.panels),
        columns=columns,
        wide=columns > 1,
        panel_height=2.1 if bars else max(2.6, 0.4 + height_for(most_lines)),
        legend=stability_keys(groups) + diverged_key(groups),
        notes=[
            common_text(groups),
            scheme_note(groups),
            averaged_over(groups, selection.metric, bars=bars),
            unnamed_note(most_lines),
            *not_shown(groups, selection),
        ],
        x_label="Parameters (millions)",
        y_label=metric_label(selection.metric.metric),
    )
    labels = group_labels(groups, _LABEL)
    for axes, panel in zip(page.panels, data.panels, strict=True):
        axes.set_title(panel.title)
        axes.set_xscale("log")
        lines = [_line(family, selection.metric) for family in families(panel.groups).values()]
        draw_lines(axes, lines, labels, page.label_ends(axes), bars=bars)
        if failed := [group.parameters / _MILLION for group in panel.groups if group.diverged]:
            mark_below(axes, failed)
    if any(group.diverged for group in groups):
        leave_room_below(page.panels[0])
    counts = [group.parameters / _MILLION for group in groups]
    _set_ticks(page.panels[0], min(counts), max(counts))
    return page.finish()


def families(groups: list[ReplicateGroup]) -> dict[tuple[str, str], list[ReplicateGroup]]:
    """Networks of one model and scheme, by the number of their parameters."""
    members: dict[tuple[str, str], list[ReplicateGroup]] = {
        (group.model, group.scheme): [] for group in groups
    }
    for group in sorted(groups, key=lambda group: group.parameters):
        members[group.model, group.scheme].append(group)
    return members


def _line(members: list[ReplicateGroup], metric: Column) -> Line:
    measured = [group for group in members if group.values(metric)]
    points = [(group.parameters / _MILLION, group.sample(metric)) for group in measured]
    return Line(members[0], points)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high` for a logarithmic axis."""
    found: list[float] = []
    for steps in _TICKS:
        found = [
            float(f"{step}e{power}")
            for power in range(-9, 10)
            for step in steps
            if low <= float(f"{step}e{power}") <= high
        ]
        if len(found) >= 3:
            return found
    if len(found) == 2:
        return found
    # So narrow a range is as good as linear.
    return [float(v) for v in MaxNLocator(3).tick_values(low, high) if low <= v <= high]


def _set_ticks(axes: Axes, low: float, high: float) -> None:
    margin = (high / low) ** 0.06
    axes.set_xlim(low / margin, high * margin)
    axes.xaxis.set_major_locator(FixedLocator(ticks(low / margin, high * margin)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
