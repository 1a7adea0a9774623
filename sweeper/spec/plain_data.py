"""Specs that Python code gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any

from sweep_plugins.schemes.exact_numbers import exact
from sweep_plugins.url_secrets import HOLDS_SECRET, quotes_secret
from sweeper.errors import RequestError
from sweeper.spec.files import SpecFile
from sweeper.spec.source import DEEPEST_NESTING, DICT, LARGEST_WHOLE, shortened
from sweeper.spec.yaml_text import flow, lines_of


def as_spec_file(spec: str | Mapping[str, Any]) -> SpecFile:
    """A spec given as YAML or as a dict; what it extends is looked for in the current folder.

    Raises RequestError for data that no YAML has, or a URL with a password.
    """
    name = "<text>" if isinstance(spec, str) else DICT
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
    return flow(plain(value))


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
        if abs(value) > LARGEST_WHOLE:
            raise RequestError(f"{where}: this has more digits than any number here")
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
