"""Text for figures: what the font can draw, in the room there is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

from results.figures.drawing.style import FONT, SMALL
from results.json_values import one_line


@cache
def _drawable() -> frozenset[int]:
    """The code points that the font has."""
    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())


def drawable(text: object) -> str:
    """`text` on one line, with escapes such as \\u6a21 for characters that the font lacks.

    So no figure has empty boxes, and names that differ still differ.
    """
    font = _drawable()
    return "".join(
        c if ord(c) in font and (c.isprintable() or c == " ") else ascii(c)[1:-1]
        for c in one_line(str(text))
    )


@cache
def _properties(size: float) -> FontProperties:
    return FontProperties(family=[FONT], size=size)


def width(text: str, size: float = SMALL) -> float:
    """The width of one line of text, in points."""
    if not text:
        return 0.0
    measured, _, _ = text_to_path.get_text_width_height_descent(
        text, _properties(size), ismath=False
    )
    return float(measured)


def shorten(text: str, limit: float, size: float = SMALL) -> str:
    """`text` if it is at most `limit` points wide, else as much of both its ends as fits."""
    if width(text, size) <= limit:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        kept = (fits + too_long) // 2
        if width(_middle_cut(text, kept), size) <= limit:
            fits = kept
        else:
            too_long = kept
    return _middle_cut(text, fits)


def _middle_cut(text: str, kept: int) -> str:
    tail = kept // 2
    return text[: kept - tail] + "…" + (text[-tail:] if tail else "")


def wrap(text: str, limit: float, size: float = SMALL) -> list[str]:
    """`text` in lines of at most `limit` points, broken at spaces; a longer word is shortened."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and width(joined, size) <= limit:
            lines[-1] = joined
        else:
            lines.append(shorten(word, limit, size))
    return lines


def distinct(texts: Sequence[str]) -> list[str]:
    """The texts, with numbers after those that are equal."""
    return [
        f"{text} #{texts[: index + 1].count(text)}" if texts.count(text) > 1 else text
        for index, text in enumerate(texts)
    ]
