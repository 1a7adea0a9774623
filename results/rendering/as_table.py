"""Plain text for a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, zip_longest

from results.rendering.text_table import TextTable

#: How the best of a column is marked where there is no bold type.
MARK = "*"

_GAPS = ("   ", "  ")
_BOLD, _PLAIN = "\033[1m", "\033[0m"

# Of a header, which is not broken inside of brackets, as in gaussian[0.3].
_WORD = re.compile(r".+?(?:(?:(?<=[_,])(?=\S)|(?<=\.)(?=[^\W\d])| +)(?![^\[\]]*\])|$)")


def as_table(table: TextTable, *, width: int | None = None, bold: bool = False) -> str:
    """The table with its notes; None sets no limit to its width.

    To fit `width` characters headers are wrapped, then columns stand closer, and at last there are
    several tables below each other, all with the columns that tell rows apart, or with numbers of
    the rows; sentences that do not fit even so are wrapped. No value is cut. With `bold` the best
    of a column is in bold type (ANSI), else marked with MARK.
    """
    texts = _Texts.of(table, bold)
    parts = ["\n".join(_lines(part, width)) for part in _parts(texts, table.keys, width)]
    notes = [note for text in table.notes for note in _wrapped(text, width)]
    return "\n\n".join(parts) + "\n" + "".join(f"{note}\n" for note in notes)


def _wrapped(note: str, width: int | None) -> list[str]:
    if width is None:
        return [note]
    return textwrap.wrap(note, width, break_long_words=False, break_on_hyphens=False)


@dataclass(frozen=True, slots=True)
class _Texts:
    """Columns of a table: headers, cells as they are shown but for bold type, and its places."""

    headers: Sequence[str]
    columns: Sequence[Sequence[str]]
    right: Sequence[bool]
    bold: Sequence[Container[int]]

    @classmethod
    def of(cls, table: TextTable, bold: bool) -> _Texts:
        count = len(table.columns)
        marked = frozenset() if bold else table.best
        return cls(
            headers=["\n".join(column.header) for column in table.columns],
            columns=[
                [_cell(line[j], (i, j) in marked) for i, line in enumerate(table.rows)]
                for j in range(count)
            ],
            right=[column.numeric for column in table.columns],
            bold=[{i for i, column in table.best if bold and column == j} for j in range(count)],
        )

    def only(self, places: Sequence[int]) -> _Texts:
        return _Texts(
            headers=[self.headers[j] for j in places],
            columns=[self.columns[j] for j in places],
            right=[self.right[j] for j in places],
            bold=[self.bold[j] for j in places],
        )

    def numbered(self) -> _Texts:
        """With the numbers of the rows as first column."""
        count = len(self.columns[0]) if self.columns else 0
        return _Texts(
            headers=["#", *self.headers],
            columns=[[str(number) for number in range(1, count + 1)], *self.columns],
            right=[True, *self.right],
            bold=[(), *self.bold],
        )

    def folded(self, room: int, first: Container[int]) -> _Texts:
        """With cells wrapped to this width in all columns but the first, as rows of their own."""
        cells = [
            [
                [cell] if j in first or _width(cell) <= room else _wrapped(cell, room)
                for cell in column
            ]
            for j, column in enumerate(self.columns)
        ]
        rows = [[*zip_longest(*row, fillvalue="")] for row in zip(*cells, strict=True)]
        heights = [*map(len, rows)]
        starts = [*accumulate(heights, initial=0)]
        return replace(
            self,
            columns=[*zip(*chain(*rows), strict=True)],
            bold=[{starts[i] for i in range(len(heights)) if i in places} for places in self.bold],
        )

    def without_empty_rows(self) -> _Texts:
        """Without those that `folded` has made for cells of other columns; none is in bold."""
        kept = [i for i, row in enumerate(zip(*self.columns, strict=True)) if any(row)]
        return replace(
            self,
            columns=[[cells[i] for i in kept] for cells in self.columns],
            bold=[{new for new, i in enumerate(kept) if i in places} for places in self.bold],
        )

    def wrapped(self) -> _Texts:
        """With headers no wider than their cells, or than their longest word."""
        found = zip(self.headers, self.columns, strict=True)
        return replace(self, headers=[_filled(header, cells) for header, cells in found])

    def widths(self) -> list[int]:
        return [
            max(map(_width, [*header.split("\n"), *cells]))
            for header, cells in zip(self.headers, self.columns, strict=True)
        ]


def _filled(header: str, cells: Sequence[str]) -> str:
    """The words of a header in as few lines as their column is wide for."""
    words = [_WORD.findall(line) for line in header.split("\n")]
    room = max(_width(text.strip()) for text in [*cells, *chain(*words)])
    lines: list[str] = []
    for of_line in words:
        lines.append("")
        for word in of_line:
            if lines[-1] and _width(f"{lines[-1]}{word}".strip()) > room:
                lines.append("")
            lines[-1] += word
    return "\n".join(line.strip() for line in lines)


def _parts(texts: _Texts, keys: int, width: int | None) -> list[_Texts]:
    """The table, or several of its columns each, where they do not fit side by side."""
    if width is None:
        return [texts]
    widths = texts.wrapped().widths()
    if _total(widths) <= width:
        return [texts]
    choices = [[*range(keys)]] if keys else [*_telling(texts.columns)]
    found = _parted(texts, choices, width) or _parted(texts.numbered(), [[0]], width)
    return found or _folded(texts, choices, width) or [texts]


def _folded(texts: _Texts, choices: Iterable[list[int]], width: int) -> list[_Texts]:
    """Several tables that fit since their sentences are wrapped."""
    widths = texts.wrapped().widths()
    for first in choices:
        room = width - sum(widths[j] + len(_GAPS[-1]) for j in first)
        if room >= width // 2:
            folded = texts.folded(room, first)
            if parts := _parted(folded, [first], width):
                return [part.without_empty_rows() for part in parts]
    return []


def _parted(texts: _Texts, choices: Iterable[list[int]], width: int) -> list[_Texts]:
    """Several tables that fit, each with the first of these choices of columns that allows it."""
    widths = texts.wrapped().widths()
    for first in choices:
        others = [j for j in range(len(widths)) if j not in first]
        if any(_total([widths[i] for i in [*first, j]]) > width for j in others):
            continue
        parts = [[*first]]
        for j in others:
            if _total([widths[i] for i in [*parts[-1], j]]) > width:
                parts.append([*first])
            parts[-1].append(j)
        return [texts.only(part) for part in parts]
    return []


def _telling(columns: Sequence[Sequence[str]]) -> Iterator[list[int]]:
    """As many of the first columns as tell all rows apart, and the first that does so alone."""
    count = len(columns[0]) if columns else 0
    for many in range(1, len(columns) + 1):
        if len({*zip(*columns[:many], strict=True)}) == count:
            yield [*range(many)]
            break
    yield from ([j] for j, cells in enumerate(columns) if len({*cells}) == count)


def _lines(texts: _Texts, width: int | None) -> list[str]:
    """The header, a rule as wide as the table, and the rows."""
    widths, gap = texts.widths(), _GAPS[0]
    if width is not None and _total(widths, gap) > width:
        texts = texts.wrapped()
        widths = texts.widths()
        gap = next((gap for gap in _GAPS if _total(widths, gap) <= width), _GAPS[-1])
    height = max((header.count("\n") for header in texts.headers), default=0) + 1
    above = [[*[""] * height, *header.split("\n")][-height:] for header in texts.headers]
    lines = [_line(line, widths, texts.right, gap) for line in zip(*above, strict=True)]
    lines.append("─" * _total(widths, gap))
    for i, row in enumerate(zip(*texts.columns, strict=True)):
        bold = [i in places for places in texts.bold]
        lines.append(_line(row, widths, texts.right, gap, bold))
    return lines


def _total(widths: Sequence[int], gap: str = _GAPS[-1]) -> int:
    return sum(widths) + len(gap) * (len(widths) - 1)


def _line(
    cells: Sequence[str],
    widths: Sequence[int],
    right: Sequence[bool],
    gap: str,
    bold: Sequence[bool] = (),
) -> str:
    padded = []
    for j, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - _width(cell))
        shown = f"{_BOLD}{cell}{_PLAIN}" if bold and bold[j] else cell
        padded.append(space + shown if right[j] else shown + space)
    return gap.join(padded).rstrip()


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _cell(text: str | None, marked: bool) -> str:
    shown = "-" if text is None else text
    return MARK + shown if marked else shown
