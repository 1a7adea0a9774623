"""CSV with exact values, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from results.json_values import finite
from results.rendering.tabular import Tabular, flat_records


def as_csv(data: Tabular) -> str:
    """One line a group, cell or row. Null is an empty cell; lists, true and false are JSON."""
    names, records, _ = flat_records(data)
    lines = ([_cell(record.get(name)) for name in names] for record in records)
    return "".join(map(_line, [names, *lines]))


def _line(cells: Iterable[str]) -> str:
    stream = io.StringIO()
    # Only with this line end the writer quotes carriage returns inside of cells.
    csv.writer(stream, lineterminator="\r\n").writerow(cells)
    return stream.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: Any) -> str:
    value = finite(value)
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
