"""Accuracy, loss or another metric by epoch, one panel a network, with the band of its seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from results.figures.data import Selection, Undrawable, at_epochs, check_fits
from results.figures.drawing.labels import (
    common_text,
    facets,
    group_labels,
    metric_label,
    nouns,
    scheme_note,
)
from results.figures.drawing.legend import Key, diverged_key, stability_keys
from results.figures.drawing.marks import band_key, draw_band, draw_diverged
from results.figures.drawing.notes import left_out, not_shown, seeds
from results.figures.drawing.page import open_page, small_multiples, title_height
from results.figures.drawing.style import BLACK, COLUMN, PALE, WIDE, look_of
from results.figures.drawing.text import shortened
from results.figures.replicates import Course, ReplicateGroup, Sample
from results.metrics import counted
from results.queries.row_columns import Column
from results.run_columns import DEFAULT_METRIC

_MOST_PANELS = 36
_TRAIN = (0, (3, 1.2))


class Shown(NamedTuple):
    """What of an epoch is drawn: its value in test, the same in training if there is one, the name
    of the axis, and what one value is called.
    """

    test: str
    train: str | None
    label: str
    noun: str


@dataclass(frozen=True)
class Curve:
    """One group's values by epoch: of the runs that did not diverge together, and in test of each
    run that did.
    """

    group: ReplicateGroup
    condition: str
    test: dict[int, Sample]
    train: dict[int, Sample]
    diverged: list[dict[int, float]]

    def all(self) -> Iterable[Collection[int]]:
        """The epochs of which something is known, for each line."""
        return (self.test, self.train, *self.diverged)


@dataclass(frozen=True)
class Data:
    """One curve for each network; `without_epochs` counts the runs that stored none."""

    selection: Selection
    shown: Shown
    curves: list[Curve]
    without_epochs: int


def collect(selection: Selection) -> Data:
    """Raises Undrawable."""
    shown = _shown_by(selection.metric)
    if not selection.epochs:
        raise Undrawable(_lacking(selection.metric, shown))
    groups = selection.groups or selection.so_far
    check_fits(len(groups), _MOST_PANELS, nouns(groups))
    curves = []
    for facet in facets(groups):
        for group in facet.groups:
            curve = _curve(group, facet.title, selection, shown)
            if curve.test or curve.train or any(curve.diverged):
                curves.append(curve)
    if not curves:
        raise Undrawable(_lacking(selection.metric, shown))
    return Data(selection, shown, curves, len(groups) - len(curves))


def _shown_by(metric: Column) -> Shown:
    """Losses if the metric is one, what the trainer reported under its name, or else accuracies."""
    if metric.reported:
        return Shown(metric.name, None, metric_label(metric.metric), f"a value of {metric.name}")
    if at_epochs(metric) != DEFAULT_METRIC:
        return Shown("test_loss", "train_loss", "Loss", "a loss")
    return Shown("test_accuracy", "train_accuracy", "Accuracy (%)", "an accuracy")


def _lacking(metric: Column, shown: Shown) -> str:
    """Why there is no curve."""
    of_run = "" if metric.name in shown else f"{metric.name} is one number a run, and "
    return f"{of_run}no epoch of these runs has {shown.noun}"


def _curve(group: ReplicateGroup, condition: str, selection: Selection, shown: Shown) -> Curve:
    def course(name: str) -> Course:
        epochs = {run["run_id"]: selection.epochs.get(run["run_id"], ()) for run in group.runs}
        return group.by_place(
            {
                run: {row["epoch"]: row[name] for row in rows if name in row}
                for run, rows in epochs.items()
            }
        )

    test = course(shown.test)
    train = course(shown.train).finished if shown.train else {}
    return Curve(group, condition, test.finished, train, test.diverged)


def plot(data: Data) -> Figure:
    """Draw a metric by epoch, one line for each network."""
    selection = data.selection
    groups = [curve.group for curve in data.curves]
    columns, wide = small_multiples(Counter(curve.condition for curve in data.curves).values())
    alone = all(len(curve.test) < 2 for curve in data.curves)
    others = not alone and len({curve.condition for curve in data.curves}) < len(data.curves)
    room = (WIDE if wide else COLUMN) * 72 / columns - 24
    labels = group_labels(groups, room, stacked=True)
    conditions = shortened([curve.condition for curve in data.curves], room)
    titles = [
        "\n".join(filter(None, [condition, labels[group.model, group.scheme]]))
        for condition, group in zip(conditions, groups, strict=True)
    ]
    lines = 1 + max(title.count("\n") for title in titles)
    finished = {len(group.runs) - group.diverged for group in groups} - {0}
    banded = bool(finished - {1})
    spread = f"line: mean, band: least to greatest of {seeds(finished)}" if banded else ""
    page = open_page(
        len(data.curves),
        columns=columns,
        wide=wide,
        panel_height=(1.75 if columns == 1 else 1.1) + title_height(lines),
        legend=stability_keys(groups)
        + _line_keys(data, banded=banded, others=others)
        + diverged_key(groups),
        notes=[
            common_text(groups),
            scheme_note(groups),
            "one seed each" if finished == {1} else spread,
            left_out(data.without_epochs, f"{nouns(groups)} without epochs"),
            _not_finite(data),
            *not_shown(groups, selection),
        ],
        x_label="Epoch",
        y_label=data.shown.label,
    )
    for axes, curve, title in zip(page.panels, data.curves, titles, strict=True):
        axes.set_title(title)
        for other in data.curves:
            if other is not curve and other.condition == curve.condition:
                _draw_mean(axes, other.test, color=PALE, linewidth=0.5, zorder=1)
        _draw_curve(axes, curve)
    _set_limits(page.panels[0], data.curves)
    return page.finish()


def _not_finite(data: Data) -> str:
    """How many values have no point; it is only known of what trainers report by name."""
    if not data.selection.metric.reported:
        return ""
    runs = (run["run_id"] for curve in data.curves for run in curve.group.runs)
    rows = (row for run_id in runs for row in data.selection.epochs.get(run_id, ()))
    count = sum(row.get(data.shown.test, 0) is None for row in rows)
    return f"{counted(count, 'value')} at epochs not finite" if count else ""


def _set_limits(axes: Axes, curves: Sequence[Curve]) -> None:
    """Whole epochs as ticks, and room around points that all have one epoch, or one value."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    epochs = {epoch for curve in curves for known in curve.all() for epoch in known}
    if len(epochs) == 1:
        (only,) = epochs
        axes.set_xlim(only - 1, only + 1)
        axes.set_xticks([only])
    low, high = axes.dataLim.intervaly
    if low == high:
        room = abs(low) / 10 or 1.0
        axes.set_ylim(low - room, high + room)


def _line_keys(data: Data, *, banded: bool, others: bool) -> list[Key]:
    """Entries for what is drawn of these curves."""
    keys, of_test = [], ""
    if any(curve.train for curve in data.curves):
        of_test = ", test"
        keys = [
            Key("test", Line2D([], [], color=BLACK)),
            Key("training", Line2D([], [], color=BLACK, linestyle=_TRAIN, linewidth=0.8)),
        ]
    if banded:
        keys.append(band_key(f"band of the seeds{of_test}"))
    if others:
        other = Line2D([], [], color=PALE, linewidth=0.8)
        noun = nouns(curve.group for curve in data.curves)
        what = noun if noun == "settings" else "schemes"
        keys.append(Key(f"the other {what}{of_test}", other))
    return keys


def _draw_mean(axes: Axes, points: dict[int, Sample], **style: Any) -> None:
    axes.plot(list(points), [point.mean for point in points.values()], **style)


def _draw_curve(axes: Axes, curve: Curve) -> None:
    look = look_of(curve.group.zero_stable)
    if curve.test:
        epochs = list(curve.test)
        draw_band(axes, epochs, list(curve.test.values()), look)
        _draw_mean(axes, curve.test, color=look.color, label="test", zorder=4)
        last = curve.test[epochs[-1]].mean
        axes.plot([epochs[-1]], [last], linestyle="none", zorder=5, clip_on=False, **look.marks)
    if curve.train:
        dashed = {"linestyle": _TRAIN, "linewidth": 0.8}
        # One point makes no line.
        mark = {"marker": "_", "markersize": 8.0} if len(curve.train) == 1 else {}
        _draw_mean(
            axes, curve.train, color=look.color, **dashed, **mark, label="training", zorder=3
        )
    for run in filter(None, curve.diverged):
        draw_diverged(axes, list(run), list(run.values()), look)
