"""What trainers have said of themselves to this process, as long as their code stays as it was."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweep_plugins.source import is_as_it_was

_MOST_KEPT = 16
"""Descriptions of each trainer, the newest."""

_MOST_OPTIONS = 10_000


def search_path(folders: Iterable[Path]) -> list[str]:
    """Where a module is looked for: as by this process, and last in these folders."""
    return list(dict.fromkeys(map(str, absolute(*map(Path, sys.path), *folders))))


def absolute(*folders: Path) -> Iterator[Path]:
    """All but relative ones if the current folder is gone."""
    for folder in folders:
        with suppress(OSError):
            yield Path(os.path.abspath(folder))


@dataclass(frozen=True)
class Description:
    """What a trainer said of itself, and where its modules were found.

    Attributes:
        said: see `trainers.own.describe`.
        installed: the search path up to the last folder of installed packages.
        places: of modules that are not installed, the folders that have something of each's name.
        answers: to options, as JSON.
    """

    said: dict[str, Any]
    installed: list[str]
    places: dict[str, list[str]]
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def holds(self, search: Sequence[str]) -> bool:
        """Whether the trainer would say the same now, to whoever looks for it there."""
        imported = self.said["imported"]
        return (
            _installed(search) == self.installed
            and _places(self.places, search) == self.places
            and is_as_it_was(imported["files"], imported["folders"], imported["beside"])
        )

    def note(self, options: str, answer: dict[str, Any]) -> None:
        """Keep the answer to options."""
        if len(self.answers) >= _MOST_OPTIONS:
            self.answers.clear()
        self.answers[options] = answer


class Descriptions:
    """Those of one process, by the name of the trainer."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Description]] = {}

    def find(self, name: str, search: Sequence[str]) -> Description | None:
        """One that still holds."""
        kept = self._kept.get(name, [])
        return next((found for found in reversed(kept) if found.holds(search)), None)

    def keep(self, name: str, search: Sequence[str], said: dict[str, Any]) -> Description:
        """Take down what a trainer has just said."""
        places = _places(said["imported"]["names"], search)
        made = Description(said, _installed(search), places)
        self._kept[name] = [*self._kept.get(name, [])[1 - _MOST_KEPT :], made]
        return made


DESCRIPTIONS = Descriptions()
"""A command reads its spec more than once, and a notebook does so again and again."""

_OF_PACKAGES = frozenset(sysconfig.get_paths().values())


def _installed(search: Sequence[str]) -> list[str]:
    last = max((i for i, folder in enumerate(search) if folder in _OF_PACKAGES), default=-1)
    return list(search[: last + 1])


def _places(names: Iterable[str], search: Sequence[str]) -> dict[str, list[str]]:
    # Not the first alone: what is there may be no module, or a folder that a later module hides.
    places: dict[str, list[str]] = {name: [] for name in names}
    for folder in search:
        if folder in _OF_PACKAGES:
            continue
        with suppress(OSError):
            for name in places.keys() & {entry.partition(".")[0] for entry in os.listdir(folder)}:
                places[name].append(folder)
    return places
