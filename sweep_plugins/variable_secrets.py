"""Secrets in environment variables: which values no log may show."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

HIDDEN = "***"

SHORTEST = 6
"""Characters: a shorter value, such as 1 or true, is a setting, and in too many words."""

# Not the tokens of texts: TOKENIZERS_PARALLELISM, MAX_TOKENS.
SECRET_NAME = (
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL|TOKEN(?!S|IZ)"
    r"|(?:API|ACCESS|PRIVATE|ACCOUNT|ENCRYPTION)_?KEY"
)
"""A pattern of what is in the names of secrets, in either case."""

_NAME = re.compile(rf"{SECRET_NAME}|(?<=_)(?:PWD|PASS|PAT)$", re.IGNORECASE)
_ABOUT_ONE = re.compile(r"_(?:FILE|PATH|DIR|ID|NAME|MODE|URI|URL)$", re.IGNORECASE)
_IN_URL = re.compile(r"//[^/@\s:\[]{0,100}:([^@\s]{1,500})@")


def secret_values(variables: Mapping[str, str]) -> frozenset[str]:
    """The passwords, tokens and keys among the variables, and passwords of URLs in any of them.

    A line of its own for each of a value of several lines, and each as it is quoted in a URL too.
    """
    found: set[str] = set()
    for name, value in variables.items():
        if _NAME.search(name) and not _ABOUT_ONE.search(name) and not _is_file(value):
            found.update(line.strip() for line in value.splitlines())
        if "@" in value:
            found.update(_IN_URL.findall(value))
    spellings = {spelt for value in found for spelt in (value, unquote(value), quote(value, ""))}
    return frozenset(value for value in spellings if len(value) >= SHORTEST)


def without_values(text: str, variables: Mapping[str, str]) -> str:
    """The text without any of `secret_values`."""
    for value in sorted(secret_values(variables), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _is_file(value: str) -> bool:
    return value.startswith("/") and "\0" not in value and os.path.exists(value)
