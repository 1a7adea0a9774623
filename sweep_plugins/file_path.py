"""What a file that a run keeps may be called: a path that stays inside any folder."""

from __future__ import annotations

MOST_FILES = 10_000
"""That a run keeps."""

LONGEST_PATH = 1_000
"""Characters."""

_LONGEST_NAME = 255
"""Bytes of UTF-8 of each part: what file systems take."""


def problem_of_path(path: str) -> str | None:
    """Why a file that is kept cannot have this path, in words; None if it can.

    It is relative, with / between its parts, and can be shown and written wherever it is taken.
    """
    if not path.isprintable() or "\\" in path:
        return "its name has characters that cannot be printed, or a backslash"
    if len(path) > LONGEST_PATH:
        return f"its path has more than {LONGEST_PATH:,} characters"
    parts = path.split("/")
    if not {"", ".", ".."}.isdisjoint(parts):
        return "its path does not stay in the folder"
    if any(len(part.encode()) > _LONGEST_NAME for part in parts):
        return f"a part of its path has more than {_LONGEST_NAME} bytes"
    return None
