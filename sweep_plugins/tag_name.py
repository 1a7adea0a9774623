"""What a tag may be called."""

from __future__ import annotations

import re

_TAG = re.compile(r"\w[\w.:/@+-]{0,99}")


def problem_of_tag(tag: str) -> str | None:
    """Why this is no tag, in words; None if it is one.

    A tag can be written after `--where tag=` without quotes, and `null` means there that a run has
    none.
    """
    if _TAG.fullmatch(tag) and tag != "null":
        return None
    return (
        f"{tag!r:.120} is no tag: one begins with a letter or digit, has at most 100 letters,"
        " digits and _ . : / @ + -, and is not null"
    )
