"""Text for figures: what the font can draw, in the room there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

from results.figures.drawing.style import FONT, SMALL
from sweep_plugins.plain_text import one_line


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
    return text if width(text, size) <= limit else _cut(text, limit, size, _middle_cut)


def shortened(texts: Sequence[str], limit: float, size: float = SMALL) -> list[str]:
    """As `shorten`, but different texts stay different: by the part in which they differ, or else
    by numbers after them.
    """
    short = {text: shorten(text, limit, size) for text in texts}
    alike: dict[str, list[str]] = {}
    for text, cut in short.items():
        alike.setdefault(cut, []).append(text)
    for members in alike.values():
        if len(members) > 1:
            numbers = width(f" #{len(members)}", size)
            parts = [start_of(part, limit - numbers, size) for part in differing(members)]
            short |= dict(zip(members, distinct(parts), strict=True))
    return [short[text] for text in texts]


def differing(texts: Sequence[str]) -> list[str]:
    """The texts from the word on in which they are not all the same."""
    places = enumerate(zip(*texts, strict=False))
    same = next((i for i, found in places if len(set(found)) > 1), min(map(len, texts)))
    start = texts[0].rfind(" ", 0, same) + 1
    return [f"…{text[start:]}" if start else text for text in texts]


def start_of(text: str, limit: float, size: float = SMALL) -> str:
    """`text` if it is at most `limit` points wide, else as much of its start as fits."""
    return text if width(text, size) <= limit else _cut(text, limit, size, _end_cut)


def _cut(text: str, limit: float, size: float, cut: Callable[[str, int], str]) -> str:
    """The text with as many characters kept as fit."""
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        kept = (fits + too_long) // 2
        if width(cut(text, kept), size) <= limit:
            fits = kept
        else:
            too_long = kept
    return cut(text, fits)


def _end_cut(text: str, kept: int) -> str:
    return f"{text[:kept]}…"


def _middle_cut(text: str, kept: int) -> str:
    tail = kept // 2
    return text[: kept - tail] + "…" + (text[-tail:] if tail else "")


def wrap(text: str, limit: float, size: float = SMALL, *, at: str = " ") -> list[str]:
    """`text` in lines of at most `limit` points, broken at spaces; a longer word is shortened.

    `at` is what else may be between words, and is left out where a line ends.
    """
    lines: list[str] = []
    for word in filter(None, text.split(at)):
        joined = f"{lines[-1]}{at}{word}" if lines else word
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
