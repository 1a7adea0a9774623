"""LaTeX tables for papers, in the style of booktabs."""

from __future__ import annotations

import re

from results.rendering.text_table import TextTable
from results.rendering.typeset import typeset

_PREAMBLE = "% needs \\usepackage{booktabs}\n"
_BEYOND_ASCII = (
    "% has letters beyond ASCII, which XeLaTeX and LuaLaTeX print with a font that has them\n"
)

_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
    }
    | {character: f"\\{character}" for character in "&%$#_{}"}
)
# Signs that great-tables leaves as they are, in labels and notes too. A bar is a dash in LaTeX's
# default font encoding; no column has a rule whose bar this could touch.
_SIGNS = str.maketrans(
    {
        "|": r"\textbar{}",
        "–": "--",
        "±": r"$\pm$",
        "−": "$-$",
        "×": r"$\times$",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        "λ": r"$\lambda$",
    }
)


def as_latex(table: TextTable) -> str:
    """A `table` environment with the notes below; the best of a column is in bold type.

    A comment in the first line names the package that it needs.
    """
    cells = [
        [_cell(text, best=(i, j) in table.best) for j, text in enumerate(line)]
        for i, line in enumerate(table.rows)
    ]
    made = typeset(table, cells, id="latex").fmt_passthrough(escape=False)
    # No size of its own: the table takes the paper's.
    latex = made.tab_options(table_font_size="inherit").as_latex().translate(_SIGNS)
    lines = [line.rstrip() for line in latex.splitlines() if line.strip()]
    return _PREAMBLE + ("" if latex.isascii() else _BEYOND_ASCII) + "\n".join(lines) + "\n"


def _cell(text: str | None, *, best: bool) -> str:
    if text is None:
        return "–"
    text = re.sub(r"(?<!\w)-(?=\d)", "−", text).translate(_ESCAPES)
    # The end of a row takes a star or a bracket after it as its own.
    text = "{}" + text if text.startswith(("*", "[")) else text
    return rf"\textbf{{{text}}}" if best else text
