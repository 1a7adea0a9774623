"""Where in a storage a database keeps its runs: no two databases write into the same folders.

The first database has the storage itself, and each later one a folder in it. A note of each is in
the storage, so that a database finds its place again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from results.records import DatabaseIdentity
from trainers.errors import UnfitFileError
from trainers.storage import Folder

NOTES = "databases"
"""The folder of the storage with a note of each database; of the name of its digest."""

_LARGEST_NOTE = 2**20


def place_of(storage: Folder, database: DatabaseIdentity) -> Folder:
    """The database's own folder: the storage, or one in it.

    A database follows the one that had its path before, and itself under its former path; a copy
    of another database's file is another one. Raises StorageError.
    """
    notes = storage.child(NOTES)
    found = {name: _read(notes, name) for name in _names(notes)}
    key = hashlib.sha256(json.dumps(database).encode()).hexdigest()[:16]
    if (own := found.get(key)) is not None:
        return _folder(storage, own[1])
    for name, note in found.items():
        if note is not None and _follows(database, note[0]):
            _write(notes, key, database, note[1])
            notes.remove(name)
            return _folder(storage, note[1])
    place = f"database-{key}"
    # First as one of several: of two that do this at once, neither or one has the storage itself.
    _write(notes, key, database, place)
    if _names(notes) == [key]:
        place = ""
        _write(notes, key, database, place)
    return _folder(storage, place)


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
