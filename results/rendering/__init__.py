"""Reports, pivot tables and lists of runs, in every format that `--format` knows."""

from __future__ import annotations

from results.rendering.formats import FORMATS, render
from results.rendering.stream import write
from results.rendering.tabular import Rows, Tabular

__all__ = ["FORMATS", "Rows", "Tabular", "render", "write"]
