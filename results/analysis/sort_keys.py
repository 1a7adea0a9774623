"""One order for values of any kind, as groups are sorted by their keys."""

from __future__ import annotations

import json
from typing import Any

SortKey = tuple[int, Any]


def sort_key(value: Any) -> SortKey:
    """A hashable key: equal for equal values, and True is not 1.

    False comes before true, then numbers by size, text, lists by their items, and null last.
    An object counts as its JSON text.
    """
    if isinstance(value, bool):
        return (0, value)
    if isinstance(value, int | float):
        return (1, value)
    if isinstance(value, str):
        return (2, value)
    if value is None:
        return (4, None)
    if isinstance(value, dict):
        return (2, json.dumps(value, sort_keys=True))
    return (3, tuple(sort_key(item) for item in value))
