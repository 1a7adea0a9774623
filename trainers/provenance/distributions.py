"""The installed distributions whose modules this process has imported, with their versions."""

from __future__ import annotations

import re
import sys
from functools import cache, lru_cache
from importlib.metadata import Distribution, distributions

_TOP = re.compile(r"^(?!\.)([^/,\n]+?)(?:\.(?:py|[^/,\n]*so|pyd))?[/,]", re.M)


def imported_distributions() -> dict[str, str]:
    """{name: version}, by name. Found again only once more modules have been imported."""
    return dict(_of_modules(len(sys.modules)))


@lru_cache(maxsize=1)
def _of_modules(count: int) -> dict[str, str]:
    tops = {name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names
    known = _by_top_level()
    names = {name for top in tops for name in known.get(top, ())}
    return {
        name: _version(known_by_name)
        for name in sorted(names, key=str.lower)
        if (known_by_name := _by_name()[name])
    }


@cache
def _by_name() -> dict[str, Distribution]:
    found: dict[str, Distribution] = {}
    for distribution in distributions():
        # The first one on the path is the one that is imported.
        name = distribution.name
        if isinstance(name, str):
            found.setdefault(name, distribution)
    return found


@cache
def _by_top_level() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, distribution in _by_name().items():
        for top in _top_level(distribution):
            found.setdefault(top, []).append(name)
    return found


def _top_level(distribution: Distribution) -> set[str]:
    """The names of its modules and packages, without reading each of its files' lines as CSV."""
    said = (distribution.read_text("top_level.txt") or "").split()
    return set(said) or set(_TOP.findall(distribution.read_text("RECORD") or ""))


@cache
def _version(distribution: Distribution) -> str:
    return str(distribution.version)
