"""Reading specs from files, and the shipped ones by name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sweep_plugins.url_secrets import HOLDS_SECRET, quotes_secret
from sweeper.errors import Place, RequestError
from sweeper.spec.shipped import SHIPPED_SUFFIX, shipped_hint, shipped_spec
from sweeper.spec.source import (
    LARGEST_FILE,
    in_one_line,
    place_after,
    refusal,
)


@dataclass(frozen=True)
class SpecFile:
    """The text of a spec, before it is parsed.

    Attributes:
        name: of the file, for messages; what it extends is named as this one is.
        folder: in which specs that it extends are looked for; None for none.
        is_on_disk: whether `name` is the path of a file.
    """

    name: str
    text: str
    folder: Path | None = None
    is_on_disk: bool = False


def read_spec_file(path: Path) -> SpecFile:
    """Read a spec from its file or, where there is none, the shipped one of this name.

    Raises RequestError if there is neither, SpecError if it is too large or no text.
    """
    if (shipped := shipped_spec(path)) is not None:
        return SpecFile(f"{shipped.name}{SHIPPED_SUFFIX}", shipped.read_text("utf-8"))
    # A file name is bytes to the system, and need not be text.
    name = os.fsencode(path).decode("utf-8", "backslashreplace")
    text = read_file(path, name)
    on_disk = path.is_file()  # a pipe has no folder
    return SpecFile(name, text, path.parent if on_disk else Path(), on_disk)


def read_file(path: Path, name: str) -> str:
    """The text of the file that messages call `name`.

    Raises RequestError if it cannot be read, SpecError if it is too large or no text.
    """
    shown = in_one_line(name)
    try:
        with path.open("rb") as file:
            # Bounded here and not by the file system's size: a pipe has none.
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        hint = in_one_line(shipped_hint(path))
        raise RequestError(f"{shown}: there is no such file{_nearby(path)}{hint}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise RequestError(f"{shown}: cannot be read: {reason}{_nearby(path)}") from None
    if len(content) > LARGEST_FILE:
        raise refusal(
            place_after(content[:LARGEST_FILE].decode("utf-8", "replace"), name),
            f"more than the {LARGEST_FILE:,} bytes that a spec may have; split it into several",
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        raise refusal(
            place_after(before, name),
            f"byte 0x{content[error.start]:02x} is not UTF-8 text; save the spec as UTF-8",
        ) from None
    for number, line in enumerate(text.splitlines(), start=1):
        if quotes_secret(line):
            raise refusal(Place(name, number), f"a URL {HOLDS_SECRET}")
    return text


def _nearby(path: Path) -> str:
    try:
        folder = path if path.is_dir() else path.parent
        specs = sorted(str(p) for p in folder.glob("*.yaml"))
    except (OSError, ValueError):
        return ""
    return in_one_line(f"; specs there: {', '.join(specs)}") if specs else ""
