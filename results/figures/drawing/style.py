"""How every figure looks: sizes, colours and markers, independent of the user's matplotlibrc.

Colours are of the palette of Okabe and Ito, which people with any common colour blindness can
tell apart. No colour stands alone: a marker, a line style or a text says the same in grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib.style

#: Widths in inches: one column of a two-column paper, and both.
COLUMN = 3.35
WIDE = 7.0

#: Sizes of text in points.
SMALL = 7.0
LARGE = 8.0

BLACK = "#000000"
GREY = "#666666"
PALE = "#c8c8c8"
FAINT = "#e8e8e8"
BLUE = "#0072b2"
VERMILLION = "#d55e00"
GREEN = "#009e73"
PURPLE = "#cc79a7"
ORANGE = "#e69f00"
SKY = "#56b4e9"

FONT = "DejaVu Sans"

_STYLE: dict[str, Any] = {
    # Names come from users: no text is ever read as a formula.
    "text.parse_math": False,
    # A viewer of an SVG that lacks the font takes any without serifs.
    "font.family": [FONT, "sans-serif"],
    "font.sans-serif": [FONT],
    "font.size": SMALL,
    # Text is as wide in pixels as it was measured.
    "text.hinting": "none",
    "axes.labelsize": LARGE,
    "axes.titlesize": SMALL,
    "axes.titlepad": 3.0,
    "axes.labelpad": 2.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.6,
    "lines.markeredgewidth": 0.8,
    "patch.linewidth": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "legend.frameon": False,
    "figure.dpi": 150,
    "savefig.dpi": 300,
    # Equal figures give byte-identical files, and text stays text.
    "svg.hashsalt": "sweep",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}


def styled() -> AbstractContextManager[None]:
    """Applies the style while the block runs, over matplotlib's defaults; then all is as before."""
    context: AbstractContextManager[None] = matplotlib.style.context(["default", _STYLE])
    return context


@dataclass(frozen=True, slots=True)
class Look:
    """How one group of networks is drawn, in every figure."""

    name: str
    color: str
    marker: str
    filled: bool
    linestyle: Any

    @property
    def marks(self) -> dict[str, Any]:
        """Arguments of `Axes.plot` for the marker."""
        face = self.color if self.filled else "white"
        return {
            "color": self.color,
            "marker": self.marker,
            "markerfacecolor": face,
            "markeredgecolor": self.color,
        }


STABLE = Look("zero stable", BLUE, "o", True, "-")
UNSTABLE = Look("not zero stable", VERMILLION, "^", False, (0, (4, 1.5)))
UNKNOWN = Look("no fixed scheme", GREY, "D", True, (0, (1, 1)))

LOOKS = (STABLE, UNSTABLE, UNKNOWN)

#: The mark of a run that diverged.
DIVERGED: dict[str, Any] = {
    "color": BLACK,
    "marker": "x",
    "markersize": 4.0,
    "markeredgewidth": 1.0,
    "linestyle": "none",
}


def look_of(zero_stable: bool | None) -> Look:
    """The look of a network by its zero stability; None: learned, or no multistep scheme."""
    if zero_stable is None:
        return UNKNOWN
    return STABLE if zero_stable else UNSTABLE


_PATTERNS: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))


def patterns(looks: Sequence[Look]) -> list[Any]:
    """A line style for each line; if a group has more than four lines, all have their group's."""
    if any(looks.count(look) > len(_PATTERNS) for look in looks):
        return [look.linestyle for look in looks]
    used: dict[Look, int] = {}
    styles = []
    for look in looks:
        styles.append(_PATTERNS[used.setdefault(look, 0)])
        used[look] += 1
    return styles
