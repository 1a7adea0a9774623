"""The files of an attempt's log: the beginning of it, and its end in a ring of two files.

`log-0.txt` has the first HEAD_BYTES, and `log-1.txt`, `log-2.txt`, ... what came after it, of which
the last two are kept. Each of these but the first begins with a line that says how much lies
between it and the beginning; it counts only where the file before it is gone.

Where several processes train together, each has a log of its own. That of rank 0 is the one above,
and the files of rank 1 are `log-rank1-0.txt`, `log-rank1-1.txt`, ...
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HEAD_BYTES = 256 * 1024

TAIL_FILE_BYTES = 512 * 1024

LARGEST_FILE = 4 * TAIL_FILE_BYTES
"""More than any of them has: one line of it may be written whole."""

_NAME = re.compile(r"log-(?:rank([1-9]\d{0,5})-)?(0|[1-9]\d{0,11})\.txt")


def file_name(number: int, rank: int = 0) -> str:
    """Of the file with this number of a process's log."""
    return f"log-rank{rank}-{number}.txt" if rank else f"log-{number}.txt"


def file_numbers(names: Iterable[str], rank: int = 0) -> list[int]:
    """The numbers of those names that are of this process's log, sorted."""
    matches = [found for name in names if (found := _NAME.fullmatch(name))]
    return sorted(int(found[2]) for found in matches if int(found[1] or 0) == rank)


def ranks(names: Iterable[str]) -> list[int]:
    """Of the processes that have a log among these names, sorted."""
    return sorted({int(found[1] or 0) for name in names if (found := _NAME.fullmatch(name))})


def is_of_log(name: str) -> bool:
    """Whether a file of an attempt's folder is one of its log's."""
    return _NAME.fullmatch(name) is not None
