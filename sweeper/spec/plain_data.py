"""Specs that Python code gives, and plain data as YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from math import isfinite
from pathlib import Path
from textwrap import wrap
from typing import Any

from sweep_plugins.schemes.exact_numbers import exact
from sweep_plugins.url_secrets import HOLDS_SECRET, quotes_secret
from sweeper.errors import RequestError
from sweeper.spec.files import SpecFile
from sweeper.spec.source import DEEPEST_NESTING, shortened

_PLAIN = re.compile(r"[A-Za-z_/][\w./+@-]*(:[\w./@]+)?|[+-]?\d+/\d+", re.ASCII)
_OTHER_THAN_TEXT = ("true", "false", "null")

WIDTH = 80


def as_spec_file(spec: str | Mapping[str, Any]) -> SpecFile:
    """A spec given as YAML or as a dict; what it extends is looked for in the current folder.

    Raises RequestError for data that no YAML has, or a URL with a password.
    """
    name = "<text>" if isinstance(spec, str) else "<dict>"
    text = spec if isinstance(spec, str) else "".join(f"{n}\n" for n, _ in lines_of(plain(spec)))
    if quotes_secret(text):
        raise RequestError(f"{name}: a URL {HOLDS_SECRET}")
    return SpecFile(name, text, Path())


def overrides_of(changes: str | Iterable[str] | Mapping[str, Any]) -> list[str]:
    """As after `--set`: of a dict of values by path, or of such texts."""
    if isinstance(changes, Mapping):
        return [f"{path}={as_text(value)}" for path, value in changes.items()]
    return [changes] if isinstance(changes, str) else list(changes)


def as_text(value: Any) -> str:
    """The value as YAML in one line."""
    return _flow(plain(value))


def plain(value: Any, path: tuple[str, ...] = ()) -> Any:
    """The value as dicts, lists and scalars: of numpy's arrays and numbers, tuples, fractions.

    A float stands for the number that `sweep_plugins.schemes.exact_numbers.exact` finds, as it does
    wherever code gives one: 1 / 3 is a third.

    Raises RequestError for anything else.
    """
    where = ".".join(path) or "the spec"
    if len(path) > DEEPEST_NESTING:
        raise RequestError(f"{where[:80]}: nested too deeply (more than {DEEPEST_NESTING} levels)")
    if value is None or isinstance(value, (bool, str)):
        return value
    if type(value) is int:
        return value
    if type(value) is float:
        if not isfinite(value) or exact(value) == exact(repr(value)):
            return value
        return str(exact(value))
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise RequestError(f"{where}: {shortened(key)} is not a key: keys are text")
        return {key: plain(at, (*path, key)) for key, at in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(at, (*path, str(index))) for index, at in enumerate(value)]
    if hasattr(value, "tolist"):  # numpy's arrays and numbers, and pandas' series
        return plain(value.tolist(), path)
    raise RequestError(
        f"{where}: {shortened(value)} is a {type(value).__name__}: a spec holds plain numbers,"
        " texts, lists and mappings"
    )


Lines = list[tuple[str, tuple[str, ...]]]
"""Each with the path of the value that begins there; empty where one goes on."""


def lines_of(value: Mapping[str, Any], path: tuple[str, ...] = (), indent: str = "") -> Lines:
    """A mapping as YAML in lines of at most WIDTH where that is possible."""
    found: Lines = []
    for key, inner in value.items():
        here, start, deeper = (*path, key), f"{indent}{_scalar(key)}:", f"{indent}  "
        whole = f"{start} {_flow(inner)}"
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
        whole = f"{indent}- {_flow(item)}"
        if isinstance(item, dict) and len(whole) > WIDTH:
            inner = [line for line, _ in lines_of(item, indent=f"{indent}  ")]
            found += [f"{indent}- {inner[0].lstrip()}", *inner[1:]]
        else:
            found.append(whole)
    return found


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_scalar(key)}: {_flow(at)}' for key, at in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
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
