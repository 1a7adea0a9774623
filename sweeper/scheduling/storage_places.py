"""Where in a storage a database keeps its runs: no two databases write into the same folders.

The first database has the storage itself, and each later one a folder in it. A note of each is in
the storage, so that a database finds its place again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from results.records import DatabaseIdentity
from trainers.errors import UnfitFileError
from trainers.storage import Folder

NOTES = "databases"
"""The folder of the storage with a note of each database; of the name of its digest."""

_ONE_OF_SEVERAL = "database-"

_LARGEST_NOTE = 2**20


def place_of(storage: Folder, database: DatabaseIdentity) -> Folder:
    """The database's own folder: the storage, or one in it.

    A database follows the one that had its path before, and itself under its former path; a copy
    of another database's file is another one. Raises StorageError.
    """
    notes = storage.child(NOTES)
    key = _key(database)
    if (known := _known_place(notes, database)) is not None:
        name, place = known
        if name != key:
            _write(notes, key, database, place)
            notes.remove(name)
        return _folder(storage, place)
    place = f"{_ONE_OF_SEVERAL}{key}"
    # First as one of several: of two that do this at once, neither or one has the storage itself.
    _write(notes, key, database, place)
    if _names(notes) == [key]:
        place = ""
        _write(notes, key, database, place)
    return _folder(storage, place)


class Place(NamedTuple):
    """A folder with the runs of a database; `is_noted`: which no other database wrote into."""

    folder: Folder
    is_noted: bool


def find_place(storage: Folder, database: DatabaseIdentity) -> Place | None:
    """As `place_of`, and nothing is written; None if the database has no place there yet.

    A storage in which nobody ever took a place, by an older version, is that of every database that
    wrote there. Raises StorageError.
    """
    notes = storage.child(NOTES)
    if (known := _known_place(notes, database)) is not None:
        return Place(_folder(storage, known[1]), True)
    return None if _names(notes) else Place(storage, False)


def is_place_of_another(name: str) -> bool:
    """Whether a folder of this name, in a database's own place, is the place of another one."""
    return name.startswith(_ONE_OF_SEVERAL)


def storage_of(location: str) -> str:
    """The storage in which a database has its place at this location."""
    start, _, name = location.rpartition("/")
    return start if name.startswith(_ONE_OF_SEVERAL) else location


def _known_place(notes: Folder, database: DatabaseIdentity) -> tuple[str, str] | None:
    """The name of its note, and its place; the note may be its former one, or that of its path."""
    found = {name: _read(notes, name) for name in _names(notes)}
    if (own := found.get(_key(database))) is not None:
        return _key(database), own[1]
    for name, note in found.items():
        if note is not None and _follows(database, note[0]):
            return name, note[1]
    return None


def _key(database: DatabaseIdentity) -> str:
    return hashlib.sha256(json.dumps(database).encode()).hexdigest()[:16]


def _follows(database: DatabaseIdentity, former: DatabaseIdentity) -> bool:
    if database.path is None or former.path is None:
        return False
    if database.first_driver != former.first_driver:
        return (database.host, database.path) == (former.host, former.path)
    # Moved, or seen from another machine; unless the former is still there.
    return database.host != former.host or not Path(former.path).exists()


def _folder(storage: Folder, place: str) -> Folder:
    return storage.child(place) if place else storage


def _names(notes: Folder) -> list[str]:
    return [name for name in notes.names() if not name.startswith(".")]


def _write(notes: Folder, key: str, database: DatabaseIdentity, place: str) -> None:
    notes.write(key, json.dumps({**database._asdict(), "place": place}).encode())


def _read(notes: Folder, name: str) -> tuple[DatabaseIdentity, str] | None:
    """A note; None for what is none, or was removed just now."""
    try:
        note = json.loads(notes.read(name, _LARGEST_NOTE))
        database = DatabaseIdentity(note["first_driver"], note["host"], note["path"])
        place = note["place"]
        if not all(isinstance(text, str | None) for text in (*database, place)):
            return None
    except (FileNotFoundError, UnfitFileError, ValueError, TypeError, KeyError, RecursionError):
        return None
    is_ours = place is not None and place in ("", f"database-{place[-16:]}")
    return (database, place) if is_ours else None
