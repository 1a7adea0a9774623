"""CSV with exact values, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from typing import Any

from results.json_values import finite
from results.rendering.tabular import Tabular, flat_records

# What a spreadsheet takes for the start of a formula, the forms of full width included.
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?:/\d+)?"
_NUMBERS = re.compile(rf"{_NUMBER}(?:\s*[,;]\s*{_NUMBER})*", re.ASCII)


def as_csv(data: Tabular, *, raw: bool = False) -> str:
    """One line a group, cell or row. Null is an empty cell; lists, true and false are JSON.

    Text that a spreadsheet would compute, as it begins with = + - @, has an apostrophe before it,
    unless it is `raw`; numbers and labels that are lists of numbers are left as they are.
    """
    names, records, _ = flat_records(data)
    lines = ([_cell(record.get(name)) for name in names] for record in records)
    return "".join(_line(line if raw else map(_as_text, line)) for line in [names, *lines])


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


def _as_text(cell: str) -> str:
    """The cell so that no spreadsheet computes it."""
    is_formula = _FORMULA.match(cell) and not _NUMBERS.fullmatch(cell)
    return f"'{cell}" if is_formula else cell
