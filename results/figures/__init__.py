"""Figures from the results database, for papers and pages.

Importing this loads no matplotlib; drawing does. No global setting of matplotlib is changed, and
no display is needed.
"""

from results.figures.drawing.files import FORMATS, save, to_bytes
from results.figures.registry import FIGURES, FigureKind, draw, possible, shown_metric

__all__ = [
    "FIGURES",
    "FORMATS",
    "FigureKind",
    "draw",
    "possible",
    "save",
    "shown_metric",
    "to_bytes",
]
