"""Where commands write: tables to stdout or a file, everything else to stderr.

What they write is `visible`: no text from elsewhere, be it an error's or a file's name, steers a
terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweep_plugins.plain_text import visible, visible_json
from sweeper.errors import unwritable
from sweeper.permissions import usual_files
from sweeper.scheduling.progress import format_runs, say

__all__ = [
    "format_runs", "say", "unwritable", "write_file", "write_json", "write_table", "write_text",
]  # fmt: skip


def write_text(text: str, output: Path | None, format: str = "table") -> None:  # noqa: A002
    """To stdout, or to a file, atomically."""
    text = visible_json(text) if format == "json" else visible(text)
    if output is None:
        from results.rendering.stream import encodable

        sys.stdout.write(encodable(text, format, sys.stdout))
        sys.stdout.flush()
    else:
        write_file(text.encode(), output)


def write_json(data: Any, output: Path | None) -> None:
    """To stdout, or to a file, atomically."""
    write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", output, "json")


def write_file(content: bytes, output: Path) -> None:
    """To a file, atomically. Raises as `unwritable` if it cannot be written."""
    from trainers.storage.atomic_write import write_atomically

    try:
        with usual_files():
            if output.exists() and not output.is_file():
                # A pipe or a device is written to; renaming a file over it would replace it.
                output.write_bytes(content)
            else:
                write_atomically(output.resolve(), content)
    except OSError as error:
        raise unwritable(f"--output {output}", error) from error


def write_table(
    data: Any,
    format: str,  # noqa: A002
    output: Path | None,
    notes: Sequence[str] = (),
    *,
    raw: bool = False,
) -> None:
    """A report, pivot table or rows, in a format of `results.rendering`, which describes `raw`."""
    from results import rendering

    if output is not None:
        rendered = rendering.render(data, format, notes=notes, raw=raw)
        write_file(rendered if isinstance(rendered, bytes) else rendered.encode(), output)
    else:
        rendering.write(data, format, sys.stdout, notes=notes, raw=raw)
        sys.stdout.flush()
