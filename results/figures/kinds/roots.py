"""Characteristic roots of the schemes in the complex plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from results.figures.data import Selection, Undrawable
from results.figures.drawing.labels import arm_labels, scheme_note
from results.figures.drawing.legend import stability_keys
from results.figures.drawing.notes import left_out
from results.figures.drawing.page import open_page, small_multiples, title_height
from results.figures.drawing.style import COLUMN, GREY, PALE, SMALL, WIDE, look_of
from results.figures.replicates import Arm

_MOST_PANELS = 36
#: Computed roots nearer than this are one repeated root: rounding parts a double root by 1e-8.
_SAME = 1e-5
_AROUND = 1.35


@dataclass(frozen=True)
class Data:
    #: One for each scheme.
    arms: list[Arm]
    without: int


def collect(selection: Selection) -> Data:
    """Raises Undrawable."""
    by_alpha: dict[tuple[float, ...], Arm] = {}
    without = set()
    for arm in selection.arms:
        if arm.alpha is None:
            without.add((arm.model, arm.scheme))
        else:
            by_alpha.setdefault(tuple(arm.alpha), arm)
    if not by_alpha:
        raise Undrawable("no done run has a fixed scheme; the roots of learned ones change")
    return Data(list(by_alpha.values()), len(without))


def characteristic_roots(alpha: list[float]) -> list[tuple[complex, int]]:
    """The roots of x^d - alpha_0 x^{d-1} - ... - alpha_{d-1} and how often each occurs.

    ZeroSNet, Condition 1.
    """
    found: list[tuple[complex, int]] = []
    for root in np.roots([1.0, *(-a for a in alpha)]):
        for index, (known, count) in enumerate(found):
            if abs(known - root) <= _SAME * max(1.0, abs(root)):
                found[index] = ((known * count + complex(root)) / (count + 1), count + 1)
                break
        else:
            found.append((complex(root), 1))
    return found


def plot(data: Data) -> Figure:
    together = len(data.arms) > _MOST_PANELS
    columns, wide = (1, False) if together else small_multiples([len(data.arms)], dense=True)
    # Square panels: as high as they are wide, and a title.
    panel = (WIDE if wide else COLUMN) / columns
    labels = arm_labels(data.arms, panel * 72 - 20, stacked=True)
    lines = 1 + max(label.count("\n") for label in labels.values())
    page = open_page(
        1 if together else len(data.arms),
        columns=columns,
        wide=wide,
        panel_height=min(panel, 2.6) if together else panel - 0.07 + title_height(lines),
        legend=stability_keys(data.arms),
        notes=[
            "circle: modulus 1",
            scheme_note(data.arms) if not together else f"{len(data.arms)} schemes",
            left_out(data.without, "schemes that are learned or unknown"),
        ],
        x_label="Real part",
        y_label="Imaginary part",
        share="none",
    )
    if together:
        for arm in data.arms:
            _draw_roots(page.panels[0], arm)
        _frame(page.panels[0], data.arms)
        return page.finish()
    for axes, arm in zip(page.panels, data.arms, strict=True):
        axes.set_title(labels[arm.model, arm.scheme])
        _draw_roots(axes, arm)
        _frame(axes, [arm])
    return page.finish()


def _draw_roots(axes: Axes, arm: Arm) -> None:
    look = look_of(arm.zero_stable)
    assert arm.alpha is not None
    roots = characteristic_roots(arm.alpha)
    axes.plot(
        [root.real for root, _ in roots],
        [root.imag for root, _ in roots],
        linestyle="none",
        label=arm.scheme,
        zorder=3,
        **look.marks,
    )
    for root, count in roots:
        if count > 1:
            axes.annotate(
                f"{count}×",
                (root.real, root.imag),
                xytext=(3, 3),
                textcoords="offset points",
                fontsize=SMALL,
            )


def _frame(axes: Axes, arms: list[Arm]) -> None:
    """The unit circle, the axes through 0, and limits that show all roots."""
    axes.add_patch(Circle((0, 0), 1.0, fill=False, edgecolor=GREY, linewidth=0.6, zorder=1))
    axes.axhline(0, color=PALE, linewidth=0.4, zorder=0)
    axes.axvline(0, color=PALE, linewidth=0.4, zorder=0)
    moduli = [abs(r) for arm in arms for r, _ in characteristic_roots(arm.alpha or [])]
    extent = max(_AROUND, 1.15 * max(moduli))
    axes.set_aspect("equal")
    axes.set_xlim(-extent, extent)
    axes.set_ylim(-extent, extent)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
