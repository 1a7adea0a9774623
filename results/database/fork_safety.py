"""Descriptors of locks, which a forked child must not keep.

A lock on a file or connection belongs to what parent and child share: a child that outlives its
parent would keep it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

_held: set[int] = set()


def hold(descriptor: int) -> None:
    """From now on, children close their copy of `descriptor` as soon as they are forked."""
    _held.add(descriptor)


def let_go(descriptor: int) -> None:
    """Undoes `hold`, before the descriptor is closed here."""
    _held.discard(descriptor)


@contextmanager
def kept(descriptor: int) -> Iterator[None]:
    """Holds `descriptor` while the block runs, then unlocks and closes it.

    In a child that leaves the block, having been forked in it, it is closed already.
    """
    owner = os.getpid()
    hold(descriptor)
    try:
        yield
    finally:
        if os.getpid() == owner:
            let_go(descriptor)
            # Closing is not enough if a child was forked before this was held.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _let_go_in_child() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go_in_child)
