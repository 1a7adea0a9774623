"""Tables on the page, with what screen readers need to find their way in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from xml.etree.ElementTree import Element

from results.html_report.elements import element, extend
from results.rendering.text_table import TextColumn, TextTable

_LONG = 60

Link = Callable[[int, int], str | None]


def table_elements(
    table: TextTable,
    caption: str,
    *,
    row_ids: Sequence[str] = (),
    link: Link = lambda row, column: None,
) -> list[Element]:
    """A table that scrolls on a narrow screen, and its notes as paragraphs.

    `row_ids` are ids to link to, one a row; `link` gives the address that a cell leads to.
    """
    body = element("tbody")
    for i, line in enumerate(table.rows):
        row = element("tr", id=row_ids[i] if row_ids else None)
        for j, text in enumerate(line):
            row.append(_cell(table, (i, j), text, link(i, j)))
        body.append(row)
    grid = element("table", element("caption", caption), _head(table.columns), body)
    # What scrolls must be reachable by keyboard, and needs a name then.
    scroll = element("div", grid, class_="scroll", role="region", tabindex="0", aria_label=caption)
    return [scroll, *(element("p", note, class_="note") for note in table.notes)]


def _cell(table: TextTable, place: tuple[int, int], text: str | None, link: str | None) -> Element:
    _, j = place
    content: Element | str = "–" if text is None else text
    if link is not None:
        content = element("a", content, href=link)
    if place in table.best:
        content = element("strong", content)
    if j < table.keys:
        return element("th", content, scope="row", class_=_class(table.columns[j]))
    long = len(text or "") > _LONG
    return element("td", content, class_="long" if long else _class(table.columns[j]))


def _class(column: TextColumn) -> str | None:
    return "number" if column.numeric else None


def _head(columns: Sequence[TextColumn]) -> Element:
    """Header rows; what neighbours share spans them, and a header of one part all rows."""
    depth = max((len(column.header) for column in columns), default=1)
    head = element("thead")
    for level in range(depth):
        row = element("tr")
        for path, members in groupby(
            enumerate(columns), key=lambda item: _path(item[1], item[0], level, depth)
        ):
            if path is not None:
                found = [column for _, column in members]
                row.append(_heading(found, path[level], level, depth))
        head.append(row)
    return head


def _path(column: TextColumn, index: int, level: int, depth: int) -> tuple[str, ...] | None:
    """What is equal for the columns that share a header at this level; None if all is above."""
    if level >= len(column.header):
        return None
    shared = level < len(column.header) - 1
    return column.header[: level + 1] if shared else (*column.header, str(index))


def _heading(columns: Sequence[TextColumn], text: str, level: int, depth: int) -> Element:
    column = columns[0]
    if level < len(column.header) - 1:
        return element("th", text, scope="colgroup", colspan=str(len(columns)), class_="shared")
    rows = depth - level
    heading = element("th", scope="col", class_=_class(column))
    if rows > 1:
        heading.set("rowspan", str(rows))
    return extend(heading, text)
