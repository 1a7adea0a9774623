"""Characteristic roots of the schemes in the complex plane."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from results.figures.data import Selection, Undrawable, check_fits
from results.figures.drawing.labels import group_labels, scheme_note
from results.figures.drawing.legend import stability_keys
from results.figures.drawing.notes import left_out
from results.figures.drawing.page import open_page, small_multiples, title_height
from results.figures.drawing.style import COLUMN, GREY, PALE, SMALL, WIDE, look_of
from results.figures.replicates import ReplicateGroup
from results.schema.bounds import LONGEST_SCHEME
from sweep_plugins.schemes.crowded_roots import RootsNotFoundError
from sweep_plugins.schemes.exact_numbers import exact
from sweep_plugins.schemes.polynomials import with_whole_coefficients
from sweep_plugins.schemes.roots import root_multiplicities

_MOST_PANELS = 36
_AROUND = 1.35


@dataclass(frozen=True)
class Data:
    """The schemes whose roots are known; `without` counts the runs that have none."""

    #: One for each scheme.
    groups: list[ReplicateGroup]
    without: int


def collect(selection: Selection) -> Data:
    """Raises Undrawable."""
    by_alpha: dict[tuple[Fraction, ...], ReplicateGroup] = {}
    without = set()
    for group in selection.groups:
        if group.alpha is not None:
            check_fits(len(group.alpha), LONGEST_SCHEME, "coefficients of a scheme")
        if group.alpha is None or not characteristic_roots(_exact_alpha(group)):
            without.add((group.model, group.scheme))
        else:
            by_alpha.setdefault(_exact_alpha(group), group)
    if not by_alpha:
        raise Undrawable("no done run has a fixed scheme; the roots of learned ones change")
    return Data(list(by_alpha.values()), len(without))


def _exact_alpha(group: ReplicateGroup) -> tuple[Fraction, ...]:
    """The coefficients as the config has them, of which the columns have the nearest floats."""
    columns = group.alpha or []
    config = group.runs[0].get("config") or {}
    try:
        written = tuple(map(exact, config["scheme"]["alpha"]))
        if list(map(float, written)) == columns:
            return written
    except (KeyError, TypeError, ValueError, OverflowError):
        pass  # a config of another program
    return tuple(map(exact, columns))


@lru_cache(maxsize=1024)
def characteristic_roots(alpha: tuple[Fraction, ...]) -> tuple[tuple[complex, int], ...]:
    """The roots of x^d - alpha_0 x^{d-1} - ... - alpha_{d-1} and how often each occurs.

    ZeroSNet, Condition 1. Empty if they were not found, which takes coefficients of huge sizes.
    """
    try:
        return root_multiplicities(with_whole_coefficients((Fraction(1), *(-a for a in alpha))))
    except RootsNotFoundError:
        return ()


def plot(data: Data) -> Figure:
    """Draw the roots of each scheme in the complex plane, with the unit circle."""
    together = len(data.groups) > _MOST_PANELS
    panels = [data.groups] if together else [[group] for group in data.groups]
    columns, wide = (1, False) if together else small_multiples([len(data.groups)], dense=True)
    # Square panels: as high as they are wide, and a title.
    panel = (WIDE if wide else COLUMN) / columns
    labels = group_labels(data.groups, panel * 72 - 20, stacked=True)
    lines = 1 + max(label.count("\n") for label in labels.values())
    page = open_page(
        len(panels),
        columns=columns,
        wide=wide,
        panel_height=min(panel, 2.6) if together else panel - 0.07 + title_height(lines),
        legend=stability_keys(data.groups),
        notes=[
            "circle: modulus 1",
            scheme_note(data.groups) if not together else f"{len(data.groups)} schemes",
            "n×: n equal roots" if any(map(_has_multiple, data.groups)) else "",
            left_out(data.without, "schemes that are learned or unknown"),
        ],
        x_label="Real part",
        y_label="Imaginary part",
        share="none",
    )
    for axes, groups in zip(page.panels, panels, strict=True):
        if not together:
            axes.set_title(labels[groups[0].model, groups[0].scheme])
        for group in groups:
            _draw_roots(axes, group)
        _frame(axes, groups)
    return page.finish()


def _has_multiple(group: ReplicateGroup) -> bool:
    return any(count > 1 for _, count in characteristic_roots(_exact_alpha(group)))


def _draw_roots(axes: Axes, group: ReplicateGroup) -> None:
    look = look_of(group.zero_stable)
    roots = characteristic_roots(_exact_alpha(group))
    axes.plot(
        [root.real for root, _ in roots],
        [root.imag for root, _ in roots],
        linestyle="none",
        label=group.scheme,
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


def _frame(axes: Axes, groups: list[ReplicateGroup]) -> None:
    """The unit circle, the axes through 0, and limits that show all roots."""
    axes.add_patch(Circle((0, 0), 1.0, fill=False, edgecolor=GREY, linewidth=0.6, zorder=1))
    axes.axhline(0, color=PALE, linewidth=0.4, zorder=0)
    axes.axvline(0, color=PALE, linewidth=0.4, zorder=0)
    moduli = [abs(r) for group in groups for r, _ in characteristic_roots(_exact_alpha(group))]
    extent = max(_AROUND, 1.15 * max(moduli))
    axes.set_aspect("equal")
    axes.set_xlim(-extent, extent)
    axes.set_ylim(-extent, extent)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
