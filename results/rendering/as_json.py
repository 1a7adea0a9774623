"""JSON: one list of objects with the exact values."""

from __future__ import annotations

import json

from results.plain import finite
from results.rendering.tabular import Tabular, records


def as_json(data: Tabular) -> str:
    """Groups, cells or rows; numbers that are not finite are null."""
    return json.dumps(finite(records(data)), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
