"""What each block of a trainable network learned (after LM-ResNet, Figure 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from results.figures.data import Selection, Undrawable, check_fits
from results.figures.drawing.labels import common_text, facets, group_labels
from results.figures.drawing.legend import Key
from results.figures.drawing.notes import not_shown, seeds
from results.figures.drawing.page import open_page, title_height
from results.figures.drawing.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, WIDE
from results.figures.replicates import ReplicateGroup
from results.records import RunRow

_MOST_PANELS = 24
_COLUMNS = 3
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_COLORS = (BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE, BLACK)
_ALONE: dict[str, Any] = {"color": BLACK, "marker": "o"}
_MARKERS = ("o", "^", "s", "D", "v", "P", "X")


@dataclass(frozen=True)
class Parameter:
    """One learned number of every block: `values[run][block]`, blocks from the input on."""

    name: str
    values: list[list[float]]

    @property
    def means(self) -> list[float]:
        """By block, over the runs."""
        return [sum(block) / len(block) for block in zip(*self.values, strict=True)]


@dataclass(frozen=True)
class Panel:
    """The coefficients that one network learned."""

    group: ReplicateGroup
    condition: str
    parameters: list[Parameter]

    @property
    def family(self) -> tuple[str, str]:
        """Model and scheme."""
        return (self.group.model, self.group.scheme)


@dataclass(frozen=True)
class Data:
    """One panel for each network."""

    selection: Selection
    panels: list[Panel]


def collect(selection: Selection) -> Data:
    """Raises Undrawable."""
    panels = []
    for facet in facets(selection.groups):
        for group in facet.groups:
            learned = [_blocks(run) for run in group.runs]
            runs = [blocks for blocks in learned if blocks]
            if not runs:
                continue
            if len({(len(blocks), len(blocks[0])) for blocks in runs}) > 1:
                raise Undrawable(f"runs of {group.model} ({group.scheme}) differ in their blocks")
            panels.append(Panel(group, facet.title, _parameters(group, runs)))
    if not panels:
        raise Undrawable("no done run has learned coefficients (trainable: true in the scheme)")
    check_fits(len(panels), _MOST_PANELS, "trainable networks")
    panels.sort(key=lambda panel: panel.family)
    return Data(selection, panels)


def _blocks(run: RunRow) -> list[list[float]]:
    """Each block's (alpha ..., beta); empty if the run has none.

    A diverged network has coefficients that are not numbers, and another trainer may have its own
    notion of what was learned.
    """
    found = run.get("learned_coefficients")
    if not isinstance(found, list) or not all(isinstance(block, list) for block in found):
        return []
    numbers = all(isinstance(value, int | float) for block in found for value in block)
    lengths = {len(block) for block in found}
    return found if numbers and len(lengths) == 1 and 0 not in lengths else []


def _parameters(group: ReplicateGroup, runs: Sequence[list[list[float]]]) -> list[Parameter]:
    """k_n or lambda_n where a block learned just this, else every coefficient."""
    width = len(runs[0][0])
    if group.learned == "k" and width == 3:
        # alpha = (1 - k_n, k_n), beta = 1 (Lu et al. 2018, eq. 1).
        return [Parameter("kₙ", [[block[1] for block in run] for run in runs])]
    if group.learned == "lambda" and width == 4:
        return [Parameter("λₙ", [[_lambda(block) for block in run] for run in runs])]
    names = [f"α{index}".translate(_SUBSCRIPTS) for index in range(width - 1)] + ["β"]
    return [
        Parameter(name, [[block[index] for block in run] for run in runs])
        for index, name in enumerate(names)
    ]


def _lambda(block: Sequence[float]) -> float:
    """The second alpha is -1 / lambda_n (ZeroSNet, eq. 10), 0 where that has no bound."""
    return -1 / block[1] if block[1] else nan


def plot(data: Data) -> Figure:
    """Draw the learned coefficients by block."""
    panels = data.panels
    groups = [panel.group for panel in panels]
    columns = min(len(panels), len({panel.condition for panel in panels}), _COLUMNS)
    wide = columns > 1
    room = (WIDE * 72 / columns if wide else 200.0) - 40
    labels = group_labels(groups, room)
    titles = ["\n".join(part for part in (p.condition, labels[p.family]) if part) for p in panels]
    lines = 1 + max(title.count("\n") for title in titles)
    looks = _looks(panels)
    counts = {len(panel.parameters[0].values) for panel in panels}
    thick = f"thick line: mean over {seeds(counts)}; thin lines: single runs"
    page = open_page(
        len(panels),
        columns=columns,
        wide=wide,
        panel_height=1.3 + title_height(lines),
        legend=[Key(name, Line2D([], [], **look)) for name, look in looks.items()],
        notes=[
            common_text(groups),
            "one seed each" if counts == {1} else thick,
            *not_shown(groups, data.selection),
        ],
        x_label="Multistep block, from the input on",
        share="none",
    )
    firsts: dict[tuple[str, str], Axes] = {}
    for index, (axes, panel) in enumerate(zip(page.panels, panels, strict=True)):
        axes.set_title(titles[index])
        first = firsts.setdefault(panel.family, axes)
        if first is not axes:
            axes.sharey(first)
        if first is axes or index % columns == 0:
            alone = len(panel.parameters) == 1
            axes.set_ylabel(panel.parameters[0].name if alone else "Coefficient")
        for parameter in panel.parameters:
            _draw_parameter(axes, parameter, looks.get(parameter.name, _ALONE))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    return page.finish()


def _looks(panels: Sequence[Panel]) -> dict[str, dict[str, Any]]:
    """A color and a marker for each of the parameters that share panels."""
    names = dict.fromkeys(
        parameter.name
        for panel in panels
        if len(panel.parameters) > 1
        for parameter in panel.parameters
    )
    turns = len(_COLORS)
    return {
        name: {"color": _COLORS[i % turns], "marker": _MARKERS[(i % turns + i // turns) % turns]}
        for i, name in enumerate(names)
    }


def _draw_parameter(axes: Axes, parameter: Parameter, look: dict[str, Any]) -> None:
    blocks = range(1, len(parameter.means) + 1)
    if len(parameter.values) > 1:
        for run in parameter.values:
            axes.plot(blocks, run, color=look["color"], alpha=0.45, linewidth=0.5, zorder=1)
    axes.plot(blocks, parameter.means, label=parameter.name, zorder=2, **look)
