"""What probes measured, one panel for each quantity: by epoch, or from layer to layer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log10, nan
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from results.figures.data import Selection, Undrawable, check_fits
from results.figures.drawing.end_labels import EndLabels, height_for, unnamed_note
from results.figures.drawing.labels import common_text, facets, group_labels, scheme_note
from results.figures.drawing.legend import Key, diverged_key, stability_keys
from results.figures.drawing.marks import MOST_WITH_BARS, band_key, draw_band, draw_diverged
from results.figures.drawing.notes import left_out, not_shown, seeds
from results.figures.drawing.page import open_page
from results.figures.drawing.style import BLACK, COLUMN, WIDE, look_of, patterns
from results.figures.drawing.text import drawable, shorten, shortened, width
from results.figures.replicates import Course, ReplicateGroup, Sample
from results.queries.layer_order import layer_key, quantity_key

_MOST_PANELS = 12
_MOST_ARMS = 36
# By epoch, each layer is a line of its own.
_MOST_LAYERS = 6
_MOST_LINES = 18
_LABEL = 105.0
_LONG_LABEL = 170.0
_Value = TypeVar("_Value")
_NOTHING = Sample(nan, nan, nan, nan)
_MOST_MARKS = 16
# Beyond this ratio of the greatest to the least value, a linear axis hides the small ones.
_LOGARITHMIC = 100.0
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_DETAIL = re.compile(r"\[.*\]$")
_NUMBERED = re.compile(r"(.*?)(\d+)")


@dataclass(frozen=True)
class Line:
    """One group's values by epoch in one layer, or (None) by the number of the layer, from 1."""

    group: ReplicateGroup
    layer: str | None
    course: Course


@dataclass(frozen=True)
class Panel:
    """The lines of one quantity; `layers` are the places of its axis, or none if these are
    epochs.
    """

    probe: str
    quantity: str
    layers: Sequence[str]
    x_label: str
    lines: list[Line]


@dataclass(frozen=True)
class Data:
    """One panel for each quantity and condition."""

    selection: Selection
    panels: list[Panel]
    groups: list[ReplicateGroup]
    #: Quantities that are parts of one that is shown.
    details: int
    #: Quantities with one value a run.
    single: int


@dataclass
class _Measured:
    """Of one quantity: by group and run the values by epoch and layer; None: not finite."""

    layers: set[str] = field(default_factory=set)
    epochs: set[int] = field(default_factory=set)
    runs: dict[int, dict[str, dict[tuple[int, str], float | None]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )


def collect(selection: Selection) -> Data:
    """Raises Undrawable."""
    measured = _by_quantity(selection)
    if not measured:
        raise Undrawable("no done run has values of probes (ask for them under 'probes')")
    shown = {key: found for key, found in measured.items() if not _is_detail(key, measured)}
    lines = {k: f for k, f in shown.items() if len(f.layers) > 1 or len(f.epochs) > 1}
    if not lines:
        raise Undrawable(
            "every quantity has one value a run; a line needs two layers or two epochs"
        )
    check_fits(len(lines), _MOST_PANELS, "quantities", "choose some with --quantity")
    used = sorted({index for found in lines.values() for index in found.runs})
    check_fits(len(used), _MOST_ARMS, "networks")
    order = sorted(lines, key=lambda key: (key[0], quantity_key(key[1])))
    panels = [_panel(key, lines[key], selection) for key in order]
    courses = [line.course for panel in panels for line in panel.lines]
    if not any(course.finished or any(course.diverged) for course in courses):
        raise Undrawable("no value of a probe is finite")
    return Data(
        selection,
        panels,
        [selection.groups[index] for index in used],
        details=len(measured) - len(shown),
        single=len(shown) - len(lines),
    )


def _by_quantity(selection: Selection) -> dict[tuple[str, str], _Measured]:
    measured: dict[tuple[str, str], _Measured] = defaultdict(_Measured)
    for index, group in enumerate(selection.groups):
        for run in group.runs:
            for row in selection.probes.get(run["run_id"], ()):
                found = measured[row["probe"], row["quantity"]]
                place = (row["epoch"], row["layer"])
                found.epochs.add(place[0])
                found.layers.add(place[1])
                found.runs[index][run["run_id"]][place] = row["value"]
    return dict(measured)


def _is_detail(key: tuple[str, str], among: Iterable[tuple[str, str]]) -> bool:
    """Whether it is a part, such as "within[3]", of a quantity that is there."""
    probe, quantity = key
    whole = _DETAIL.sub("", quantity)
    return whole != quantity and (probe, whole) in among


def _panel(key: tuple[str, str], found: _Measured, selection: Selection) -> Panel:
    layers = sorted(found.layers, key=layer_key)
    few = len(layers) <= _MOST_LAYERS and len(layers) * len(found.runs) <= _MOST_LINES
    by_epoch = len(layers) == 1 or (len(found.epochs) > 1 and few)
    lines = []
    ends = set()
    for index, runs in sorted(found.runs.items()):
        group = selection.groups[index]
        if by_epoch:
            for layer in layers:
                of_runs = {
                    run_id: {epoch: v for (epoch, at), v in values.items() if at == layer}
                    for run_id, values in runs.items()
                }
                lines.append(Line(group, layer, group.by_place(of_runs)))
            continue
        places = {layer: place for place, layer in enumerate(layers, start=1)}
        last = {run_id: max(epoch for epoch, _ in values) for run_id, values in runs.items()}
        ends |= set(last.values())
        at_end = {
            run_id: {
                places[layer]: v for (epoch, layer), v in values.items() if epoch == last[run_id]
            }
            for run_id, values in runs.items()
        }
        lines.append(Line(group, None, group.by_place(at_end)))
    if by_epoch:
        return Panel(*key, (), "Epoch", lines)
    return Panel(*key, layers, _layer_label(layers, ends), lines)


def _layer_label(layers: Sequence[str], ends: set[int]) -> str:
    kind = _common_prefix(layers)
    name = "Layer" if kind is None else drawable(kind).capitalize() or "Layer"
    return f"{name}, after {f'epoch {ends.pop()}' if len(ends) == 1 else 'the last epoch'}"


def _common_prefix(layers: Sequence[str]) -> str | None:
    """ "block" for "block1" to "block9"; None if they are not numbered so from 1 on."""
    found = [_NUMBERED.fullmatch(layer) for layer in layers]
    prefixes = {match[1] for match in found if match}
    numbers = [int(match[2]) for match in found if match]
    numbered = len(prefixes) == 1 and numbers == list(range(1, len(layers) + 1))
    return prefixes.pop() if numbered else None


def plot(data: Data) -> Figure:
    """Draw what probes measured, by epoch or by layer."""
    groups = data.groups
    names = _names(groups)
    ends = {end for panel in data.panels for end in _ends(panel, names)}
    # Ends that name a layer and a network leave a narrow panel no room.
    long_names = len(groups) > 1 and any(_layers_drawn(panel) > 1 for panel in data.panels)
    columns = 1 if long_names else min(len(data.panels), 2)
    wide = long_names or columns > 1
    most_lines = max(len(panel.lines) for panel in data.panels)
    crowded = most_lines > MOST_WITH_BARS
    finished = {len(group.runs) - group.diverged for group in groups} - {0}
    banded = bool(finished) and finished != {1}
    single_seeds = "one seed each" if finished else ""
    band = [Key("mean", Line2D([], [], color=BLACK)), band_key("band of the seeds")]
    page = open_page(
        len(data.panels),
        columns=columns,
        wide=wide,
        panel_height=max(2.6, 0.55 + height_for(most_lines)) if crowded else 2.1,
        legend=[*stability_keys(groups), *(band if banded else []), *diverged_key(groups)],
        notes=[
            common_text(groups),
            scheme_note(groups) if len(groups) > 1 else "",
            f"line: mean, band: least to greatest of {seeds(finished)}" if banded else single_seeds,
            unnamed_note(most_lines),
            left_out(data.details, "parts of quantities"),
            left_out(data.single, "quantities with one value a run"),
            *not_shown(groups, data.selection),
        ],
        share="none",
    )
    room = (WIDE if wide else COLUMN) / columns * 72 - max(map(width, ends)) - 50
    for axes, panel in zip(page.panels, data.panels, strict=True):
        # No wider than the axes, as the name of a line may stand at that height, next to them.
        axes.set_title(shorten(drawable(f"{panel.probe}: {panel.quantity}"), room))
        axes.set_xlabel(panel.x_label)
        _draw_lines(axes, panel, names, page.label_ends(axes), banded=banded)
        if _spans_decades(panel):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(_power_of_ten))
            axes.yaxis.set_minor_formatter(NullFormatter())
        if panel.layers:
            _label_layers(axes, panel.layers, room)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    return page.finish()


def _layers_drawn(panel: Panel) -> int:
    """How many layers have lines of their own."""
    return len({line.layer for line in panel.lines})


def _ends(panel: Panel, names: Mapping[int, str]) -> list[str]:
    """What the ends of the panel's lines are called; empty where it has only one."""
    several_layers = _layers_drawn(panel) > 1
    texts = []
    for line in panel.lines:
        layer = (drawable(line.layer) or "all") if several_layers and line.layer is not None else ""
        texts.append(" ".join(filter(None, [layer, names[id(line.group)]])))
    both = several_layers and any(names[id(line.group)] for line in panel.lines)
    return shortened(texts, _LONG_LABEL if both else _LABEL)


def _names(groups: Sequence[ReplicateGroup]) -> dict[int, str]:
    """What the ends of lines are called, by the group's identity; empty for the only group."""
    if len(groups) == 1:
        return {id(groups[0]): ""}
    labels = group_labels(groups, _LABEL)
    if len(labels) == 1:
        # Of networks that differ in their conditions alone, these say more than what is the same.
        labels = dict.fromkeys(labels, "")
    return {
        id(group): " ".join(filter(None, [facet.title, labels[group.model, group.scheme]]))
        for facet in facets(groups)
        for group in facet.groups
    }


def _spans_decades(panel: Panel) -> bool:
    courses = [line.course for line in panel.lines]
    values = [value for course in courses for run in course.diverged for value in run.values()]
    points = [point for course in courses for point in course.finished.values()]
    least = min([*values, *(point.low for point in points)], default=0)
    most = max([*values, *(point.high for point in points)], default=0)
    return least > 0 and most > _LOGARITHMIC * least


def _power_of_ten(value: float, place: int | None = None) -> str:
    """Such as "10⁵": texts of figures are never read as formulas."""
    return "10" + str(round(log10(value))).translate(_SUPERSCRIPTS)


def _label_layers(axes: Axes, layers: Sequence[str], room: float) -> None:
    """Numbers if the layers are numbered, else as many names as fit."""
    if _common_prefix(layers) is not None:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        return
    names = [drawable(layer) or "all" for layer in layers]
    fitting = int(room // (max(map(width, names)) + 6))
    count = max(2, min(len(names), fitting))
    step = (len(names) - 1) / (count - 1)
    places = [round(index * step) for index in range(count)]
    axes.set_xticks(
        [place + 1 for place in places],
        [shorten(names[place], room / count - 6) for place in places],
    )


def _draw_lines(
    axes: Axes, panel: Panel, names: Mapping[int, str], ends: EndLabels, *, banded: bool
) -> None:
    looks = [look_of(line.group.zero_stable) for line in panel.lines]
    named = zip(panel.lines, _ends(panel, names), looks, patterns(looks), strict=True)
    for line, end, look, pattern in named:
        if line.course.finished:
            places, points = _with_gaps(line.course.finished, panel, _NOTHING)
            means = [point.mean for point in points]
            if banded:
                draw_band(axes, places, points, look)
            axes.plot(places, means, color=look.color, linestyle=pattern, label="mean", zorder=4)
            # A marker at each of few places; many markers would hide the line.
            marked = 0 if len(places) <= _MOST_MARKS else -1
            axes.plot(places[marked:], means[marked:], linestyle="none", zorder=5, **look.marks)
            if end:
                ends.add(places[-1], means[-1], end, look.color)
        for run in filter(None, line.course.diverged):
            draw_diverged(axes, *_with_gaps(run, panel, nan), look)


def _with_gaps(
    points: Mapping[int, _Value], panel: Panel, nothing: _Value
) -> tuple[list[int], list[_Value]]:
    """The places and what is there; between layers that are not neighbours a line has a gap."""
    if not panel.layers:
        return list(points), list(points.values())
    places = list(range(min(points), max(points) + 1))
    return places, [points.get(place, nothing) for place in places]
