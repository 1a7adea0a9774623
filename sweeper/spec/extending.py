"""`extends`: which specs a spec starts from, found beside it or among the shipped ones.

They are put in one order: each after those that it extends itself, and each once, where it is
reached first. So two specs that extend the same one do not undo what the other changes of it, and
how a list of specs is divided into files makes no difference.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep_plugins import did_you_mean
from sweeper.errors import Place, RequestError, SpecError
from sweeper.spec import documents
from sweeper.spec.files import SpecFile, read_file
from sweeper.spec.merging import merge
from sweeper.spec.shipped import SHIPPED_SUFFIX, shipped_hint, shipped_spec_named
from sweeper.spec.source import (
    EXTENDS,
    LARGEST_FILE,
    MOST_VALUES,
    SpecPath,
    SpecSource,
    in_one_line,
    parse_spec,
    refusal,
    shortened,
)

DEEPEST_EXTENDING = 10
"""Specs of which each extends the next."""


def read_whole(file: SpecFile, beneath: Sequence[SpecSource] = ()) -> tuple[SpecSource, list[str]]:
    """A spec merged with all that it extends, and the names of their files, its own first.

    The text of the result has all of them, so that it can be read again without any file.

    Args:
        beneath: what comes before any of them.

    Raises SpecError, at the line and column of the file where something is wrong.
    """
    own, others = documents.split(file.text)
    source = parse_spec(own, file.name)
    reading = _Reading(file, others)
    reading.visit(source, reading.key, [])
    merged = merge([*beneath, *reading.layers]) if reading.texts or beneath else source
    merged.text = documents.join(own, reading.texts)
    return merged, [file.name, *map(reading.shown, reading.texts)]


@dataclass
class _Found:
    key: str
    text: str


class _Reading:
    """One reading of a spec and of what it extends.

    Each has a key: its path from the folder of the first one, or a shipped one's name.
    """

    def __init__(self, file: SpecFile, others: dict[str, str]) -> None:
        self.key = os.path.basename(file.name)
        self.layers: list[SpecSource] = []
        self.texts: dict[str, str] = {}
        self._name = file.name
        self._folder = file.folder
        self._known = {os.path.normpath(name): text for name, text in others.items()}
        self._done: set[str] = set()
        self._bytes = len(file.text.encode())
        self._values = 0

    def shown(self, key: str) -> str:
        """The name of its file, as the first one is named."""
        if key.endswith(SHIPPED_SUFFIX):
            return key
        return os.path.normpath(os.path.join(os.path.dirname(self._name), key))

    def visit(self, source: SpecSource, key: str, around: list[str]) -> None:
        """Adds what it extends to the layers, then itself."""
        self._values += source.values
        before = set(self._done)
        chain = [*around, key]
        for path, name in _references(source):
            place = source.place(path)
            found = self._find(name, key, place)
            if found.key in chain:
                circle = [*chain[chain.index(found.key) :], found.key]
                raise refusal(place, f"specs extend one another: {' -> '.join(circle)}")
            if found.key in self._done:
                if found.key not in before:
                    raise refusal(
                        place,
                        f"{name} is extended already, by an entry before it: list it before that"
                        " one, or leave it out",
                    )
                continue
            if len(chain) > DEEPEST_EXTENDING:
                raise refusal(place, f"more than {DEEPEST_EXTENDING} specs extend one another")
            self._bytes += len(found.text.encode()) if found.key not in self._known else 0
            self._check(place)
            self.texts[found.key] = found.text
            inner = parse_spec(found.text, self.shown(found.key))
            self.visit(inner, found.key, chain)
            self._check(place)
        self._done.add(key)
        self.layers.append(source)

    def _check(self, place: Place) -> None:
        if self._bytes > LARGEST_FILE or self._values > MOST_VALUES:
            raise refusal(
                place,
                f"with those that it extends, the spec has more than the {LARGEST_FILE:,} bytes or"
                f" {MOST_VALUES:,} keys and values that one may have",
            )

    def _find(self, name: str, key: str, place: Place) -> _Found:
        """The spec that the one with this key calls `name`. Raises SpecError if there is none."""
        near = ""
        if not key.endswith(SHIPPED_SUFFIX):
            beside = os.path.normpath(os.path.join(os.path.dirname(key), name))
            if beside in self._known:
                return _Found(beside, self._known[beside])
            if self._folder is not None:
                path = self._folder / beside
                if _is_there(path):
                    return _Found(beside, self._read(path, beside, place))
                near = did_you_mean(name, _specs_beside(path, name)) or shipped_hint(path)
        shipped = f"{name.removesuffix('.yaml')}.yaml{SHIPPED_SUFFIX}"
        if shipped in self._known:
            return _Found(shipped, self._known[shipped])
        if (text := shipped_spec_named(name)) is not None:
            return _Found(shipped, text)
        shown = self.shown(key)
        beside = "in the current folder" if shown.startswith("<") else f"beside {shown}"
        looked = f"{beside}, nor " if self._folder is not None else ""
        raise refusal(
            place,
            f"{EXTENDS}: there is no {shortened(name)} {looked}among the shipped specs{near}",
        )

    def _read(self, path: Path, key: str, place: Place) -> str:
        shown = self.shown(key)
        if not path.is_file():
            raise refusal(place, f"{EXTENDS}: {in_one_line(shown)} is no file")
        try:
            text = read_file(path, shown)
        except SpecError:
            raise
        except RequestError as error:
            raise refusal(place, f"{EXTENDS}: {error}") from None
        # It may bring documents of its own, named from where it is.
        own, others = documents.split(text)
        folder = os.path.dirname(key)
        for name, inner in others.items():
            known = name if name.endswith(SHIPPED_SUFFIX) else os.path.join(folder, name)
            self._known.setdefault(os.path.normpath(known), inner)
        return own


def _references(source: SpecSource) -> list[tuple[SpecPath, str]]:
    given = source.data.get(EXTENDS)
    if given is None:
        return []
    entries: list[tuple[SpecPath, object]] = (
        [((EXTENDS, index), name) for index, name in enumerate(given)]
        if isinstance(given, list)
        else [((EXTENDS,), given)]
    )
    found = []
    for path, name in entries:
        if not isinstance(name, str) or not name:
            raise refusal(
                source.place(path),
                f"{EXTENDS}: {shortened(name)} is not allowed: give the name of a spec's file, of a"
                " shipped spec, or a list of them",
            )
        found.append((path, name))
    return found


def _specs_beside(path: Path, name: str) -> list[str]:
    """Those in the folder of this path, as they are named where it is called `name`."""
    folder = os.path.dirname(name)
    try:
        others = [other.name for other in path.parent.iterdir()]
    except OSError:
        return []
    return [os.path.join(folder, other) for other in others if other.endswith((".yaml", ".yml"))]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # such as a name that is too long
        return False
