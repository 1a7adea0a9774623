"""Figures as files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UnknownFormatError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Formats of `save`, with what keeps the point in time out of each.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


def save(figure: Figure, path: Path) -> None:
    """Writes the figure in the format that the file's name ends with.

    PNG has 300 dots an inch, SVG keeps text as text, PDF embeds its fonts as TrueType. The same
    figure gives the same bytes. The file is written in one go, over any that is there. Raises
    UnknownFormatError, and OSError if the file cannot be written.
    """
    path.write_bytes(to_bytes(figure, path.suffix.removeprefix(".")))


def to_bytes(figure: Figure, format: str) -> bytes:  # noqa: A002
    """The figure in one of FORMATS, as `save` writes it. Raises UnknownFormatError."""
    name = format.lower()
    if name not in FORMATS:
        raise UnknownFormatError(format, FORMATS)
    from results.figures.drawing.style import styled

    stream = io.BytesIO()
    with styled():
        figure.savefig(stream, format=name, metadata=FORMATS[name])
    return stream.getvalue()
