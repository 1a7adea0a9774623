"""Telling apart the lines of one panel: the color is the group's, the pattern the line's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from results.figures.drawing.style import Look

_PATTERNS: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))

#: Error bars of more lines than this hide one another.
MOST_WITH_BARS = 6


def patterns(looks: Sequence[Look]) -> list[Any]:
    """A line style for each line; if a group has more than four lines, all have their group's."""
    if any(looks.count(look) > len(_PATTERNS) for look in looks):
        return [look.linestyle for look in looks]
    used: dict[Look, int] = {}
    styles = []
    for look in looks:
        styles.append(_PATTERNS[used.setdefault(look, 0)])
        used[look] += 1
    return styles
