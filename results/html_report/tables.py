"""Tables as templates show them: which cells span others, are numbers, or lead somewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from results.rendering.text_table import TextColumn, TextTable

_LONG, _LONGER = 60, 300

Attributes = Mapping[str, str | int | None]


class Cell(NamedTuple):
    """A cell of the body; `lead` and its text are the address it links to, if any."""

    text: str | None
    is_key: bool
    kind: str | None
    is_best: bool
    lead: str | None


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table with its caption, and what to say instead if it has no columns.

    Attributes:
        row_ids: ids to link to, one a row, if any.
        leads: for a column by its header, the address that its cells lead to, less their text.
    """

    caption: str
    table: TextTable
    if_empty: str
    row_ids: Sequence[str] = ()
    leads: Mapping[str, str] = field(default_factory=dict)

    def headings(self) -> Iterator[list[tuple[str, Attributes]]]:
        """Header rows; a header common to neighbours spans them, one of a single part all rows."""
        depth = max(len(column.header) for column in self.table.columns)
        for level in range(depth):
            places = [_place(j, column, level) for j, column in enumerate(self.table.columns)]
            equal = groupby(zip(places, self.table.columns, strict=True), lambda pair: pair[0])
            yield [
                _heading([column for _, column in members], level, depth)
                for place, members in equal
                if place is not None
            ]

    def body(self) -> Iterator[tuple[str | None, list[Cell]]]:
        """Each row's id, if it has one, and its cells."""
        columns = [
            (j < self.table.keys, _class(column), self.leads.get(column.header[-1]))
            for j, column in enumerate(self.table.columns)
        ]
        for i, line in enumerate(self.table.rows):
            row_id = self.row_ids[i] if self.row_ids else None
            yield (
                row_id,
                [
                    Cell(
                        text,
                        is_key,
                        kind if is_key else _length(text) or kind,
                        (i, j) in self.table.best,
                        None if lead is None or f"{lead}{text}" == f"#{row_id}" else lead,
                    )
                    for j, (text, (is_key, kind, lead)) in enumerate(
                        zip(line, columns, strict=True)
                    )
                ],
            )


def _place(index: int, column: TextColumn, level: int) -> tuple[str, ...] | None:
    """What is equal for the columns that share a header at this level; None if all is above."""
    if level >= len(column.header):
        return None
    shared = level < len(column.header) - 1
    return column.header[: level + 1] if shared else (*column.header, str(index))


def _heading(columns: Sequence[TextColumn], level: int, depth: int) -> tuple[str, Attributes]:
    header = columns[0].header
    if level < len(header) - 1:
        return header[level], {"scope": "colgroup", "colspan": len(columns), "class": "shared"}
    rows = depth - level if depth - level > 1 else None
    return header[level], {"scope": "col", "class": _class(columns[0]), "rowspan": rows}


def _length(text: str | None) -> str | None:
    """What is wrapped, in a column that is the wider the more there is of it."""
    if text is None or len(text) <= _LONG:
        return None
    return "long" if len(text) <= _LONGER else "longer"


def _class(column: TextColumn) -> str | None:
    return "number" if column.numeric else None
