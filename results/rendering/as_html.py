"""An HTML table to paste into a page or a document."""

from __future__ import annotations

import hashlib

from results.rendering.text_table import TextTable
from results.rendering.typeset import typeset


def as_html(table: TextTable) -> str:
    """A `div` with the table and its style, notes included; it loads nothing from elsewhere.

    The best of a column is in bold type. Equal tables give equal text.
    """
    from great_tables import loc, style

    cells = [["–" if text is None else text for text in line] for line in table.rows]
    # The style is bound to the id, so two tables in one page must not share it.
    digest = hashlib.sha256(repr(table).encode()).hexdigest()
    made = typeset(table, cells, id=f"sweep-{digest[:12]}")
    for j in sorted({j for _, j in table.best}):
        rows = sorted(i for i, column in table.best if column == j)
        made = made.tab_style(style.text(weight="bold"), loc.body(columns=f"c{j}", rows=rows))
    return made.as_raw_html() + "\n"
