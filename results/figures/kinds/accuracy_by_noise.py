"""Accuracy against the level of noise on the test images, one panel for each kind of noise."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from matplotlib.figure import Figure

from results.figures.data import Selection, Undrawable, check_fits
from results.figures.drawing.end_labels import height_for, unnamed_note
from results.figures.drawing.labels import Facet, common_text, facets, group_labels, scheme_note
from results.figures.drawing.legend import stability_keys
from results.figures.drawing.marks import MOST_WITH_BARS, Line, draw_lines
from results.figures.drawing.notes import averaged_over, left_out, not_shown
from results.figures.drawing.page import fitted, open_page
from results.figures.drawing.text import drawable
from results.figures.kinds.noise_levels import NoiseAxis, noise_axis
from results.figures.replicates import ReplicateGroup, Sample, sample
from results.records import RunRow

_MOST_PANELS = 12
_LABEL = 105.0
_FEWEST_LEVELS = 2


@dataclass(frozen=True)
class Data:
    """One panel for each condition and kind of noise."""

    selection: Selection
    panels: list[tuple[Facet, NoiseAxis]]
    #: Kinds of noise with too few levels for a line.
    single_levels: int


def collect(selection: Selection) -> Data:
    """Raises Undrawable."""
    levels: dict[NoiseAxis, set[float]] = defaultdict(set)
    for group in selection.groups:
        for run in group.runs:
            for axis, level in _measured(run):
                levels[axis].add(level)
    if not levels:
        raise Undrawable("no done run was evaluated under noise; ask for it under 'evaluations'")
    axes = [axis for axis, found in levels.items() if len(found) >= _FEWEST_LEVELS]
    if not axes:
        kinds = ", ".join(drawable(axis.name) for axis in levels)
        raise Undrawable(
            f"every kind of noise was measured at one level ({kinds}); a line needs"
            f" {_FEWEST_LEVELS} or more"
        )
    panels = [(facet, axis) for facet in facets(selection.groups) for axis in axes]
    what = "panels (noises, datasets, depths, settings)"
    check_fits(len(panels), _MOST_PANELS, what, "choose some runs with --where")
    return Data(selection, panels, len(levels) - len(axes))


def _measured(run: RunRow) -> dict[tuple[NoiseAxis, float], list[float]]:
    """Accuracies by axis and level; several if a noise was drawn with several seeds."""
    found: dict[tuple[NoiseAxis, float], list[float]] = defaultdict(list)
    for evaluation in run["evaluations"]:
        place = noise_axis(evaluation)
        if place is not None and evaluation["accuracy"] is not None:
            found[place].append(evaluation["accuracy"])
    return found


def accuracy_by_level(group: ReplicateGroup, axis: NoiseAxis) -> list[tuple[float, Sample]]:
    """Over the group's runs; ascending levels, with the clean test images at level 0."""
    samples: dict[float, list[float]] = defaultdict(list)
    for run in group.runs:
        if run["test_accuracy"] is not None:
            samples[0.0].append(run["test_accuracy"])
        for (found, level), accuracies in _measured(run).items():
            if found == axis:
                samples[level].append(sum(accuracies) / len(accuracies))
    return [(level, sample(samples[level])) for level in sorted(samples)]


def plot(data: Data) -> Figure:
    """Draw accuracy over the noise's level, one line for each network."""
    selection = data.selection
    groups = selection.groups
    columns = min(len(data.panels), 2)
    most_lines = max(len(facet.groups) for facet, _ in data.panels)
    one_axis = len({axis for _, axis in data.panels}) == 1
    bars = most_lines <= MOST_WITH_BARS
    page = open_page(
        len(data.panels),
        columns=columns,
        wide=columns > 1,
        panel_height=2.1 if bars else max(2.6, 0.55 + height_for(most_lines)),
        legend=stability_keys(groups),
        notes=[
            common_text(groups),
            scheme_note(groups),
            averaged_over(groups, selection.test_accuracy, bars=bars),
            unnamed_note(most_lines),
            "noise in units of pixels in [0, 1]",
            left_out(data.single_levels, "kinds of noise with one level"),
            *not_shown(groups, selection),
        ],
        x_label=drawable(data.panels[0][1].quantity) if one_axis else "",
        y_label="Test accuracy (%)",
        share="y",
    )
    labels = group_labels(groups, _LABEL)
    for axes, (facet, axis) in zip(page.panels, data.panels, strict=True):
        axes.set_title(facet.title)
        if not one_axis:
            axes.set_xlabel("\n".join(fitted(drawable(axis.quantity), 150.0)))
        lines = [Line(group, accuracy_by_level(group, axis)) for group in facet.groups]
        draw_lines(axes, lines, labels, page.label_ends(axes), bars=bars)
    return page.finish()
