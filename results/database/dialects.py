"""Lists of any length in a query, each as one parameter."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import JSON, ColumnElement, Text, column, func, literal, select


def is_one_of(
    dialect: str, value: ColumnElement[Any], texts: Collection[str]
) -> ColumnElement[bool]:
    """Whether `value` is one of these texts, for "sqlite" or "postgresql".

    An ordinary IN takes a parameter for each, and both databases set a limit to their number.
    """
    unfold = func.json_each if dialect == "sqlite" else func.json_array_elements_text
    listed = literal(list(texts), JSON) if dialect != "sqlite" else literal(json.dumps(list(texts)))
    items = unfold(listed).table_valued(column("value", Text), name="listed")
    return value.in_(select(items.c.value))
