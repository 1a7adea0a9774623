"""The order of what probes measured: as the network has its layers, not as the alphabet would."""

from __future__ import annotations

import re
from functools import cache

_NUMBER = re.compile(r"(\d+)")
_FIRST = ("", "stem")


@cache
def layer_key(name: str) -> tuple[object, ...]:
    """Sorts names of layers and quantities: "block2" before "block10", the stem in front.

    '', the whole network, comes before all layers. Names without a number other than the stem are
    of what follows the blocks, and come last.
    """
    if name in _FIRST:
        return (0, _FIRST.index(name))
    parts = quantity_key(name)
    return (1 if len(parts) > 1 else 2, *parts)


def quantity_key(name: str) -> tuple[object, ...]:
    """Sorts quantities: "within" before "within[2]" before "within[10]"."""
    # Words and numbers by turns, so that words are compared with words only.
    return tuple(
        (part, 0) if index % 2 == 0 else ("", int(part))
        for index, part in enumerate(_NUMBER.split(name))
    )
