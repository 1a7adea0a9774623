"""Markdown tables, as GitHub reads them."""

from __future__ import annotations

import re

from results.rendering.text_table import TextTable

# What would start markup: underscores inside of words and lone brackets do not.
_MARKUP = re.compile(r"[\\`*<|~]|(?<![^\W_])_|_(?![^\W_])|(?<=\])(?=[(\[:])|&(?=#?\w+;)")
_BLOCK = re.compile(r"^(?=[#>+=-])")


def as_markdown(table: TextTable) -> str:
    """The table with its notes as paragraphs below; the best of a column is in bold type."""
    headers = [_escaped(", ".join(column.header)) for column in table.columns]
    rule = ["---:" if column.numeric else "---" for column in table.columns]
    cells = [
        [_cell(text, (i, j) in table.best) for j, text in enumerate(line)]
        for i, line in enumerate(table.rows)
    ]
    lines = ["| " + " | ".join(line) + " |" for line in [headers, rule, *cells]]
    for note in table.notes:
        lines += ["", _BLOCK.sub(r"\\", _escaped(note))]
    return "\n".join(lines) + "\n"


def _cell(text: str | None, best: bool) -> str:
    shown = "-" if text is None else _escaped(text)
    return f"**{shown}**" if best else shown


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", text)
