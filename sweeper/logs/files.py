"""The files of an attempt's log: the beginning of it, and its end in a ring of two files.

`log-0.txt` has the first HEAD_BYTES, and `log-1.txt`, `log-2.txt`, ... what came after it, of which
the last two are kept. Each of these but the first begins with a line that says how much lies
between it and the beginning; it counts only where the file before it is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HEAD_BYTES = 256 * 1024

TAIL_FILE_BYTES = 512 * 1024

LARGEST_FILE = 4 * TAIL_FILE_BYTES
"""More than any of them has: one line of it may be written whole."""

_NAME = re.compile(r"log-(0|[1-9]\d{0,11})\.txt")


def file_name(number: int) -> str:
    """Of the file with this number."""
    return f"log-{number}.txt"


def file_numbers(names: Iterable[str]) -> list[int]:
    """The numbers of those names that are a log's, sorted."""
    return sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name)))


def is_of_log(name: str) -> bool:
    """Whether a file of an attempt's folder is one of its log's."""
    return _NAME.fullmatch(name) is not None
