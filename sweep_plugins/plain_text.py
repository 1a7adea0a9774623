"""Text from elsewhere, made safe to read: what a terminal obeys is shown, and what is endless cut.

Exceptions, archives, names of files, classes, hosts and evaluations may hold anything. Whatever is
written for people goes through `visible` on its way out.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

LONGEST_ERROR = 2_000
"""Characters of an error in one line."""

LONGEST_TRACEBACK = 100_000

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Control characters, such as ESC; formats that show nothing, such as U+202E, which turns the text
after it around, and what has no width; halves of surrogate pairs; separators of lines."""


def visible(text: str) -> str:
    """`text` with escapes for what a reader would not see, or a terminal obey.

    Tabs and line ends stay.
    """
    if text.isprintable():
        return text
    return _SUSPECT.sub(lambda found: _shown(found[0]), text.replace("\r\n", "\n"))


def visible_json(text: str) -> str:
    """JSON with the same values, in which nothing is hidden."""
    # They can only be inside of strings, where an escape is the same character.
    return _SUSPECT.sub(lambda found: _shown_in_json(found[0]), text)


def readable(text: str) -> str:
    """`visible` text on one line, so that a name can neither break a table nor steer a terminal."""
    return visible(text if text.isprintable() and "  " not in text else " ".join(text.split()))


def one_line(text: str) -> str:
    """`text` with all white space, line ends included, folded to single spaces."""
    return " ".join(text.split())


def shortened(text: str, most: int, clean: Callable[[str], str] = str) -> str:
    """`text`, or, of one that is longer than `most` characters, its first and last thirds of them.

    Where something is left out, it says how much. `clean` is applied to what is kept, and sees more
    of it, so that no secret is cut in two before it is found.
    """
    if len(text) <= most:
        return clean(text)
    part = most // 3
    left_out = len(text) - 2 * part
    begin, end = clean(text[: 2 * part])[:part], clean(text[-2 * part :])[-part:]
    return f"{begin} [... {left_out:,} characters ...] {end}"


_SUSPECT = re.compile(r"[^ -~\n\t]")


@lru_cache(1 << 12)
def _shown(character: str) -> str:
    return ascii(character)[1:-1] if unicodedata.category(character) in _HIDDEN else character


@lru_cache(1 << 12)
def _shown_in_json(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"
