"""Reports and lists of runs as text: table, JSON, CSV, Markdown."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Sequence
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from results.errors import UnknownFormatError
from results.plain import finite
from results.reports import Report

FORMATS = ("table", "json", "csv", "markdown")

Rows = Sequence[dict[str, Any]]

# Wide enough for any table, where no terminal sets a limit.
_UNLIMITED = 100_000
_TWO_DECIMALS = ("max_root_modulus", "root_moduli")


def render(data: Report | Rows, format: str, *, width: int | None = None) -> str:  # noqa: A002
    """`data` as text that ends with a line end.

    `data` is a report, or rows as of `Queries.run_rows`; `format` one of FORMATS. JSON is one
    list, of groups or rows. CSV has all numbers at full precision, null as an empty cell, lists
    as JSON, and each evaluation's accuracy in a column of its name. Tables and Markdown round:
    `mean ± std` to 2 decimals. A table wraps its headers to fit `width` characters, and grows
    beyond it before it cuts a value; None sets no limit. Raises UnknownFormatError.
    """
    if format == "json":
        groups = data.groups if isinstance(data, Report) else list(data)
        return json.dumps(finite(groups), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if format == "csv":
        return _csv(data)
    if format not in FORMATS:
        raise UnknownFormatError(format, FORMATS)
    if not isinstance(data, Report) and not data:
        return "nothing to show\n"
    if format == "table":
        return _table(*_cells(data), _note(data), width)
    return _markdown(*_cells(data), _note(data))


def write(data: Report | Rows, format: str, stream: TextIO) -> None:  # noqa: A002
    """Renders to a stream; only a terminal limits the width of a table.

    Raises UnknownFormatError.
    """
    width = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else None
    text = render(data, format, width=width or None)
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        text = _plain_ascii(text)
    stream.write(text)


def _plain_ascii(text: str) -> str:
    for fancy, plain in (("±", "+-"), ("─", "-"), ("━", "-")):
        text = text.replace(fancy, plain)
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _flat(rows: Rows) -> tuple[list[str], list[dict[str, Any]]]:
    """Column names and rows, with each evaluation's accuracy in a column of its name."""
    flat = []
    names: dict[str, None] = {}
    for row in rows:
        values = {key: value for key, value in row.items() if key != "evaluations"}
        for evaluation in row.get("evaluations") or ():
            values.setdefault(evaluation["name"], evaluation["accuracy"])
        flat.append(values)
        names |= dict.fromkeys(values)
    return list(names), flat


def _csv(data: Report | Rows) -> str:
    names, rows = _flat(data.groups if isinstance(data, Report) else data)
    if isinstance(data, Report) and not rows:
        names = [*data.group_by, "runs"]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_csv_cell(row.get(name)) for name in names] for row in rows)
    return stream.getvalue()


def _csv_cell(value: Any) -> Any:
    value = finite(value)
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _note(data: Report | Rows) -> str:
    if not isinstance(data, Report):
        return ""
    note = f"{data.runs} {'run' if data.runs == 1 else 'runs'}; mean ± std (n-1)"
    if data.unfinished:
        note += f"; PARTIAL: {data.unfinished} not done yet and left out"
    return note


def _cells(data: Report | Rows) -> tuple[list[str], list[list[str]], list[bool]]:
    """Headers, cells, and which columns hold numbers, rounded for reading."""
    if not isinstance(data, Report):
        names, rows = _flat(data)
        values = [[row.get(name) for name in names] for row in rows]
        cells = [[_shown(n, v) for n, v in zip(names, line, strict=True)] for line in values]
        return names, cells, [_numeric(column) for column in zip(*values, strict=True)]
    names = [*data.group_by, "runs"]
    names += [n for n in ("diverged", "unfinished") if any(_counted(g, n) for g in data.groups)]
    names = list(dict.fromkeys(names))
    cells = [
        [_shown(name, group[name]) for name in names]
        + [_spread(group[f"{m}_mean"], group[f"{m}_std"]) for m in data.metrics]
        for group in data.groups
    ]
    numeric = [_numeric([group[name] for group in data.groups]) for name in names]
    return [*names, *data.metrics], cells, numeric + [True] * len(data.metrics)


def _counted(group: dict[str, Any], name: str) -> bool:
    return not isinstance(group[name], bool) and bool(group[name])


def _numeric(values: Sequence[Any]) -> bool:
    return all(isinstance(v, int | float | None) and not isinstance(v, bool) for v in values)


def _spread(mean: float | None, std: float | None) -> str:
    if mean is None:
        return "-"
    return f"{mean:.2f}" if std is None else f"{mean:.2f} ± {std:.2f}"


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_shown(name, item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        if name in _TWO_DECIMALS or "accuracy" in name or name == "generalization_gap":
            return f"{value:.2f}"
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.1f}"
    return str(value)


def _table(
    names: Sequence[str],
    cells: Sequence[Sequence[str]],
    numeric: Sequence[bool],
    note: str,
    width: int | None,
) -> str:
    natural = sum(max(map(len, column)) + 2 for column in zip(names, *cells, strict=True))
    if width is not None and natural > width:
        names = [re.sub(r"(?<=[_.,])(?=.)", "\n", name) for name in names]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, right in zip(names, numeric or [False] * len(names), strict=True):
        table.add_column(Text(name), justify="right" if right else "left", no_wrap=True)
    for line in cells:
        table.add_row(*(Text(cell) for cell in line))
    stream = io.StringIO()
    # No limit here either: headers were wrapped above, and a value is never cut.
    console = Console(file=stream, width=_UNLIMITED, color_system=None, legacy_windows=False)
    console.print(table)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    return "\n".join([*lines, note] if note else lines) + "\n"


def _markdown(
    names: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool], note: str
) -> str:
    rule = ["---:" if right else "---" for right in numeric or [False] * len(names)]
    lines = [
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in [names, rule, *cells]
    ]
    return "\n".join([*lines, "", note] if note else lines) + "\n"
