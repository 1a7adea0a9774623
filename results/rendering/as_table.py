"""Plain text for a terminal."""

from __future__ import annotations

import io
import re

from results.rendering.text_table import TextTable

#: How the best of a column is marked where there is no bold type.
MARK = "*"

# Wide enough for any table, where no terminal sets a limit.
_UNLIMITED = 100_000


def as_table(table: TextTable, *, width: int | None = None, bold: bool = False) -> str:
    """The table with its notes; headers are wrapped to fit `width` characters.

    It grows beyond `width` before it cuts a value; None sets no limit. With `bold` the best of a
    column is in bold type (ANSI), else marked with MARK.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    headers = ["\n".join(column.header) for column in table.columns]
    cells = [
        [_cell(text, (i, j) in table.best and not bold) for j, text in enumerate(line)]
        for i, line in enumerate(table.rows)
    ]
    natural = sum(
        max(cell_len(part) for text in column for part in text.split("\n")) + 2
        for column in zip(headers, *cells, strict=True)
    )
    if width is not None and natural > width:
        headers = [re.sub(r"(?<=[_.,])(?=\S)|(?<=\S) ", "\n", header) for header in headers]
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="none")
    for header, column in zip(headers, table.columns, strict=True):
        grid.add_column(Text(header), justify="right" if column.numeric else "left", no_wrap=True)
    for i, line in enumerate(cells):
        grid.add_row(
            *(
                Text(cell, style="bold" if bold and (i, j) in table.best else "")
                for j, cell in enumerate(line)
            )
        )
    stream = io.StringIO()
    # No limit here either: headers were wrapped above, and a value is never cut.
    console = Console(
        file=stream,
        width=_UNLIMITED,
        force_terminal=bold,
        color_system="standard" if bold else None,
        no_color=True,
        legacy_windows=False,
    )
    console.print(grid)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    return "\n".join([*lines, *table.notes]) + "\n"


def _cell(text: str | None, marked: bool) -> str:
    shown = "-" if text is None else text
    return MARK + shown if marked else shown
