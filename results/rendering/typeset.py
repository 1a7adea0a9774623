"""What the LaTeX and the HTML table share: the layout, as great-tables has it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from results.rendering.text_table import TextTable

if TYPE_CHECKING:
    from great_tables import GT


def typeset(table: TextTable, cells: Sequence[Sequence[str]], *, id: str) -> GT:  # noqa: A002
    """The table with headers, alignment and notes; `cells` are as the format wants them.

    Column j is named "cj"; `id` is the HTML element's.
    """
    import great_tables
    import pandas

    names = [f"c{j}" for j in range(len(table.columns))]
    frame = pandas.DataFrame(list(cells), columns=names, dtype=str)
    labels = {name: c.header[-1] for name, c in zip(names, table.columns, strict=True)}
    made = great_tables.GT(frame, id=id).cols_label_with(fn=lambda name: _label(labels[name]))
    for numeric, side in ((True, "right"), (False, "left")):
        aligned = [n for n, c in zip(names, table.columns, strict=True) if c.numeric is numeric]
        if aligned:
            made = made.cols_align(side, columns=aligned)
    depth = max((len(column.header) for column in table.columns), default=1)
    for level in range(depth - 1):
        for number, (label, span) in enumerate(_spans(table, names, depth, level)):
            if label is not None:
                made = made.tab_spanner(_label(label), span, id=f"s{level}-{number}")
    for note in table.notes:
        made = made.tab_source_note(_label(note))
    return made


def _spans(
    table: TextTable, names: Sequence[str], depth: int, level: int
) -> list[tuple[str | None, list[str]]]:
    """Neighbouring columns that share a header `level` above their own, counted from below."""

    def above(index: int) -> tuple[str, ...] | None:
        header = table.columns[index].header
        return header[: -1 - level] if len(header) > level + 1 else None

    return [
        (path[-1] if path else None, [names[i] for i in indices])
        for path, indices in groupby(range(len(names)), key=above)
    ]


def _label(text: str) -> Any:
    """A label that great-tables shows as it is: it reads units from braces in plain text."""
    import great_tables

    return great_tables.html(html.escape(text).replace("{", "&#123;"))
