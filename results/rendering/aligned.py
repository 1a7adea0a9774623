"""Lines of cells, in columns of one width each."""

from __future__ import annotations


def aligned(lines: list[list[str]]) -> list[str]:
    """The cells, indented by two and padded to the widest of their column."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  "
        + "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
