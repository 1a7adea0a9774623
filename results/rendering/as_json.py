"""JSON: one list of objects with the exact values."""

from __future__ import annotations

import json
from typing import Any

from results.json_values import finite
from results.rendering.tabular import Tabular, records
from sweep_plugins.plain_text import visible_json


def as_json(data: Tabular) -> str:
    """Groups, cells or rows, one on a line; numbers that are not finite are null.

    Characters that a terminal obeys, or nobody sees, are escapes.
    """
    lines = visible_json(",\n".join(map(_object, records(data))))
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def _object(record: dict[str, Any]) -> str:
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(finite(record), ensure_ascii=False, allow_nan=False)
