"""Plain data as YAML, in lines that fit a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from textwrap import wrap
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_/][\w./+@-]*(:[\w./@]+)?|[+-]?\d+/\d+", re.ASCII)
_OTHER_THAN_TEXT = ("true", "false", "null")

WIDTH = 80

Lines = list[tuple[str, tuple[str, ...]]]
"""Each with the path of the value that begins there; empty where one goes on."""


def lines_of(value: Mapping[str, Any], path: tuple[str, ...] = (), indent: str = "") -> Lines:
    """A mapping as YAML in lines of at most WIDTH where that is possible."""
    found: Lines = []
    for key, inner in value.items():
        here, start, deeper = (*path, key), f"{indent}{_scalar(key)}:", f"{indent}  "
        whole = f"{start} {flow(inner)}"
        if isinstance(inner, dict) and inner:
            found += [(start, here), *lines_of(inner, here, deeper)]
        elif len(whole) <= WIDTH:
            found.append((whole, here))
        elif isinstance(inner, list):
            found += [(start, here), *((line, ()) for line in _items(inner, deeper))]
        elif isinstance(inner, str) and inner.isprintable() and " ".join(inner.split()) == inner:
            folded = wrap(inner, WIDTH, initial_indent=deeper, subsequent_indent=deeper, **_WORDS)
            found += [(f"{start} >-", here), *((line, ()) for line in folded)]
        else:
            found.append((whole, here))
    return found


_WORDS: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


def _items(items: list[Any], indent: str) -> list[str]:
    found = []
    for item in items:
        whole = f"{indent}- {flow(item)}"
        if isinstance(item, dict) and len(whole) > WIDTH:
            inner = [line for line, _ in lines_of(item, indent=f"{indent}  ")]
            found += [f"{indent}- {inner[0].lstrip()}", *inner[1:]]
        else:
            found.append(whole)
    return found


def flow(value: Any) -> str:
    """The value in one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_scalar(key)}: {flow(at)}' for key, at in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not isfinite(value):
        return ".nan" if value != value else f"{'-' if value < 0 else ''}.inf"
    return json.dumps(value)


@lru_cache(maxsize=1 << 12)
def _text(value: str) -> str:
    is_plain = _PLAIN.fullmatch(value) and value.lower() not in _OTHER_THAN_TEXT
    return value if is_plain else json.dumps(value)
