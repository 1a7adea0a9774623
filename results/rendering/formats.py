"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from results.errors import UnknownFormatError
from results.rendering.as_csv import as_csv
from results.rendering.as_html import as_html
from results.rendering.as_json import as_json
from results.rendering.as_latex import as_latex
from results.rendering.as_markdown import as_markdown
from results.rendering.as_parquet import as_parquet
from results.rendering.as_table import MARK, as_table
from results.rendering.tabular import Tabular, flat_records
from results.rendering.text_table import text_table

FORMATS = ("table", "json", "csv", "markdown", "latex", "html", "parquet")

_EXACT: dict[str, Callable[[Tabular], str | bytes]] = {"json": as_json, "parquet": as_parquet}
_TYPESET = {"markdown": as_markdown, "latex": as_latex, "html": as_html}
_NOTHING = {
    "table": "nothing to show\n",
    "markdown": "nothing to show\n",
    "latex": "% nothing to show\n",
    "html": "<p>nothing to show</p>\n",
}


def require_format(format: str) -> None:  # noqa: A002
    """Raises UnknownFormatError."""
    if format not in FORMATS:
        raise UnknownFormatError(format, FORMATS)


def render(
    data: Tabular,
    format: str,  # noqa: A002
    *,
    width: int | None = None,
    notes: Sequence[str] = (),
    bold: bool = False,
    raw: bool = False,
) -> str | bytes:
    """`data` as text that ends with a line end; as bytes if the format is Parquet.

    `data` is a report, a pivot table, or rows as returned by `Queries.run_rows`; `format` one of
    FORMATS. JSON, CSV and Parquet have the exact values: JSON is one list of groups, cells or
    rows; CSV and Parquet have one line each, null as an empty cell, lists as JSON (CSV) or lists,
    and each evaluation's accuracy in a column of its name. A pivot table is long there: one object
    or line a cell, with `<metric>_best` for each metric. What a spreadsheet would compute has an
    apostrophe before it in CSV, unless it is `raw`.

    The others are for reading: `mean ± std` to 2 decimals, the best of a pivot table's columns
    in bold type, and `notes`, which are sentences, below the table. To fit `width` characters a
    table wraps its headers or becomes several, and it grows beyond them before it cuts a value;
    None sets no limit. Only if `bold` is set may it have ANSI codes; else the best are marked "*".

    Raises UnknownFormatError.
    """
    require_format(format)
    if format == "csv":
        return as_csv(data, raw=raw)
    if format in _EXACT:
        return _EXACT[format](data)
    if not flat_records(data).names:
        return _NOTHING[format]
    if format == "table":
        mark = "in bold" if bold else f"marked {MARK}"
        return as_table(text_table(data, notes, best=mark), width=width, bold=bold)
    return _TYPESET[format](text_table(data, notes))
