"""Who can read what this program keeps: the user alone, unless SWEEP_UMASK says otherwise.

What exists already keeps its rights, and what a user asks to be written elsewhere, such as reports
and figures, has the usual ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sweeper.errors import RequestError

VARIABLE = "SWEEP_UMASK"
PRIVATE = 0o077


def umask_asked_for() -> int:
    """The bits that are taken from the rights of new files and folders, as umask(2) has them.

    Raises RequestError for what is no umask, or takes rights from the user.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return PRIVATE
    try:
        umask = int(given, 8)
    except ValueError:
        umask = -1
    if umask not in range(0o100):
        raise RequestError(
            f"{VARIABLE}={given}: two octal digits are expected, such as 27 for files that the"
            " group can read, and 22 for files that everybody can"
        )
    return umask


@contextmanager
def private_files() -> Iterator[None]:
    """What is made in the block is private, by this process and those that it starts."""
    if _usual:  # it is already
        yield
        return
    before = os.umask(umask_asked_for())
    _usual.append(before)
    try:
        yield
    finally:
        _usual.pop()
        os.umask(before)


@contextmanager
def usual_files() -> Iterator[None]:
    """What is made in this block, inside of the other, has the rights that the umask left it."""
    if not _usual:
        yield
        return
    private = os.umask(_usual[-1])
    try:
        yield
    finally:
        os.umask(private)


_usual: list[int] = []
