"""The storages that a database's runs wrote into, and its own place in each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from results.records import DatabaseIdentity, KeptRun
from sweeper.scheduling.storage_places import Place, find_place, storage_of
from trainers.errors import StorageError
from trainers.storage import open_folder


@dataclass
class Places:
    """Where the runs of a database have their files.

    Attributes:
        found: the places that can be read.
        unreachable: why, of each storage that cannot be read now.
        empty: storages in which nothing is, though runs wrote there: they were moved, or removed,
            or their disk is not mounted.
        of_others: those that only other databases have places in, as if a copy of this one's file
            had been made.
    """

    found: list[Place] = field(default_factory=list)
    unreachable: dict[str, StorageError] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)
    of_others: set[str] = field(default_factory=set)

    def missing(
        self, kept: Sequence[KeptRun], found: Collection[tuple[str, int]]
    ) -> dict[str, int]:
        """The empty storages in which runs should have files, and of how many.

        Args:
            found: the attempts, (run id, number), that have files somewhere.
        """
        wrote = Counter(where for run in kept for where in self._emptied(run, found))
        return {where: wrote[where] for where in sorted(wrote)}

    def may_have_more(self, run: KeptRun, found: Collection[tuple[str, int]]) -> bool:
        """Whether files of the run may be where they cannot be seen; `found` as in `missing`."""
        away = any(storage in self.unreachable for _, storage in run.attempts)
        return away or bool(self._emptied(run, found))

    def _emptied(self, run: KeptRun, found: Collection[tuple[str, int]]) -> set[str]:
        """The empty storages in which attempts at the run should have files."""
        wrote = {where for _, where in run.attempts if where is not None and where in self.empty}
        # What was in the folder of the run was moved with it; not every attempt had any file.
        moved = {where for number, where in run.attempts if (run.run_id, number) in found}
        return wrote - moved


def find_places(kept: Sequence[KeptRun], named: str, database: DatabaseIdentity | None) -> Places:
    """The places of the database in the storages of its runs, and in the one that is `named`.

    The named one is believed to be as it is found, though it be empty.
    """
    named = open_folder(named).location
    wrote = {where for run in kept for _, where in run.attempts if where is not None}
    places = Places()
    seen: set[str] = set()
    for location in (named, *sorted(wrote - {named})):
        try:
            place = _place_at(location, database)
            if place is None:
                places.of_others.add(location)
                continue
            is_empty = not (place.is_noted or location == named or place.folder.names())
        except StorageError as error:
            places.unreachable[location] = error
            continue
        if is_empty:
            places.empty.add(location)
        elif (path := _followed(place.folder.location)) not in seen:
            seen.add(path)
            places.found.append(place)
    return places


def _place_at(location: str, database: DatabaseIdentity | None) -> Place | None:
    """The place at this location, or in it."""
    folder = open_folder(location)
    if database is None:
        return Place(folder, False)
    found = find_place(folder, database)
    storage = storage_of(location)
    if storage != location and (found is None or not found.is_noted):
        inside = find_place(open_folder(storage), database)
        if inside is not None and inside.is_noted and inside.folder.location == location:
            return inside
    return found


def _followed(location: str) -> str:
    """The same for a folder that is found by two paths."""
    return os.path.realpath(location) if location.startswith("/") else location
