"""Those of the files that are pictures which a page can show."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

LARGEST_PICTURE = 2_000_000
"""Bytes."""

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"})

_BEGINNINGS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    # As an image it neither runs nor loads anything, whatever it holds.
    (re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml|<!--|<!DOCTYPE svg|<svg)"), "image/svg+xml"),
)


def may_be_picture(path: str, size: int) -> bool:
    """Whether a file of this name and so many bytes is worth a look."""
    return size <= LARGEST_PICTURE and PurePosixPath(path).suffix.lower() in _SUFFIXES


def media_type_of(content: bytes) -> str | None:
    """What kind of picture it is, whatever its name says; None if it is none, or not safe to show.

    Entities of XML can grow without bounds where they are read.
    """
    for beginning, media_type in _BEGINNINGS:
        if beginning.match(content):
            is_svg = media_type == "image/svg+xml"
            return (
                None
                if is_svg and (b"<svg" not in content or b"<!ENTITY" in content)
                else media_type
            )
    return None
