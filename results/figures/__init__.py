"""Figures from the results database, for papers and pages.

Importing this loads no matplotlib; drawing does. No global setting of matplotlib is changed, and
no display is needed.
"""

from results.figures.drawing.files import FORMATS, save
from results.figures.registry import FIGURES, FigureKind, draw, possible
from results.figures.svg import svg_text

__all__ = ["FIGURES", "FORMATS", "FigureKind", "draw", "possible", "save", "svg_text"]
