"""Plain text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from results.rendering.text_table import TextTable

#: How the best of a column is marked where there is no bold type.
MARK = "*"

_GAP = "   "
_BOLD, _PLAIN = "\033[1m", "\033[0m"


def as_table(table: TextTable, *, width: int | None = None, bold: bool = False) -> str:
    """The table with its notes; headers are wrapped to fit `width` characters.

    It grows beyond `width` before it cuts a value; None sets no limit. With `bold` the best of a
    column is in bold type (ANSI), else marked with MARK.
    """
    headers = ["\n".join(column.header) for column in table.columns]
    marked = frozenset() if bold else table.best
    cells = [
        [_cell(text, (i, j) in marked) for j, text in enumerate(line)]
        for i, line in enumerate(table.rows)
    ]
    needed = [max(map(_width, column), default=0) for column in zip(*cells, strict=True)]
    widths = _widths(headers, needed)
    if width is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        headers = [re.sub(r"(?<=[_.,])(?=\S)|(?<=\S) ", "\n", header) for header in headers]
        widths = _widths(headers, needed)
    right = [column.numeric for column in table.columns]
    height = max((header.count("\n") for header in headers), default=0) + 1
    above = [[*[""] * height, *header.split("\n")][-height:] for header in headers]
    lines = [_line(line, widths, right) for line in zip(*above, strict=True)]
    lines.append("─" * (sum(widths) + len(_GAP) * (len(widths) - 1)))
    for i, row in enumerate(cells):
        styled = {j for line, j in table.best if bold and line == i}
        lines.append(_line(row, widths, right, styled))
    return "\n".join([*lines, *table.notes]) + "\n"


def _widths(headers: Sequence[str], needed: Sequence[int]) -> list[int]:
    of_headers = [max(map(_width, header.split("\n"))) for header in headers]
    return list(map(max, of_headers, needed or of_headers))


def _line(
    cells: Sequence[str], widths: Sequence[int], right: Sequence[bool], bold: Container[int] = ()
) -> str:
    padded = []
    for j, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - _width(cell))
        shown = f"{_BOLD}{cell}{_PLAIN}" if j in bold else cell
        padded.append(space + shown if right[j] else shown + space)
    return _GAP.join(padded).rstrip()


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _cell(text: str | None, marked: bool) -> str:
    shown = "-" if text is None else text
    return MARK + shown if marked else shown
