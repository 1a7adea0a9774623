"""Descriptors of locks, which a forked child must close.

A lock on a file or connection belongs to the open file that parent and child share: a child that
outlives its parent would go on holding it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

_closed_in_children: set[int] = set()


def close_in_children(descriptor: int) -> None:
    """From now on, children close their copy of `descriptor` as soon as they are forked."""
    _closed_in_children.add(descriptor)


def keep_in_children(descriptor: int) -> None:
    """Undoes `close_in_children`; to be called before the descriptor is closed here."""
    _closed_in_children.discard(descriptor)


@contextmanager
def closed_in_children(descriptor: int) -> Iterator[None]:
    """Keeps forked children from having `descriptor` in the block; then unlocks and closes it.

    In a child that leaves the block, having been forked in it, it is closed already.
    """
    owner = os.getpid()
    close_in_children(descriptor)
    try:
        yield
    finally:
        if os.getpid() == owner:
            keep_in_children(descriptor)
            # Closing is not enough if a child was forked before this was registered.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _close_all() -> None:
    for descriptor in _closed_in_children:
        os.close(descriptor)
    _closed_in_children.clear()


os.register_at_fork(after_in_child=_close_all)
