"""Rendering to a stream: stdout, whether a terminal, a pipe or a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TextIO

from results.errors import ResultsError
from results.rendering.formats import render
from results.rendering.tabular import Tabular
from sweep_plugins.plain_text import visible

_ASCII = str.maketrans({"±": "+-", "─": "-", "━": "-", "–": "-"})


def write(
    data: Tabular,
    format: str,  # noqa: A002
    stream: TextIO,
    *,
    notes: Sequence[str] = (),
    raw: bool = False,
) -> None:
    """Renders to a stream; only a terminal limits the width of a table, and has bold type.

    Raises UnknownFormatError, and ResultsError if a format of bytes is to go to a terminal.
    """
    terminal = stream.isatty()
    width = os.get_terminal_size(stream.fileno()).columns if terminal else None
    bold = terminal and os.environ.get("TERM") != "dumb"
    content = render(data, format, width=width or None, notes=notes, bold=bold, raw=raw)
    if isinstance(content, bytes):
        _write_bytes(content, format, stream)
        return
    if terminal and format == "csv":
        content = visible(content)  # anywhere else, what reads CSV gets the exact values
    stream.write(encodable(content, format, stream))


def encodable(text: str, format: str, stream: TextIO) -> str:  # noqa: A002
    """The text, or the same content in ASCII where the stream cannot encode it."""
    try:
        text.encode(stream.encoding or "utf-8", stream.errors or "strict")
    except UnicodeEncodeError:
        return _in_ascii(text, format)
    return text


def _write_bytes(content: bytes, format: str, stream: TextIO) -> None:  # noqa: A002
    buffer = getattr(stream, "buffer", None)
    if buffer is None or stream.isatty():
        raise ResultsError(
            f"{format} is not text that a terminal can show: write it with --output FILE"
        )
    stream.flush()
    buffer.write(content)


def _in_ascii(text: str, format: str) -> str:  # noqa: A002
    """The same content for a stream that cannot encode it."""
    if format == "json":
        return json.dumps(json.loads(text), indent=2) + "\n"
    if format == "html":
        return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
