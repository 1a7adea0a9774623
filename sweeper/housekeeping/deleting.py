"""Deleting a sweep, in the database and in the storages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from results.queries.queries import Queries
from results.records import Deletion, KeptRun
from results.store.store import Store
from sweeper.errors import ResourceError
from sweeper.housekeeping.collecting import AT_ONCE, list_attempts
from sweeper.housekeeping.places import Places, find_places
from sweeper.scheduling.progress import format_runs
from sweeper.scheduling.run_storage import SPECS
from sweeper.scheduling.storage_places import Place
from trainers.storage import Folder
from trainers.storage.base import is_name


@dataclass(frozen=True)
class OwnResults:
    """The runs that only one sweep holds, and that were tried.

    Attributes:
        done: how many of them are.
        files: how many they have, and
        size: their bytes.
        folders: with these files, of each run.
    """

    runs: tuple[str, ...]
    done: int
    files: int
    size: int
    folders: dict[str, list[Folder]]


def find_results(store: Store, storage: str, name: str) -> OwnResults:
    """What goes with this sweep if its results go.

    Raises:
        UnknownSweepError: there is no such sweep.
        ResourceError: files of these runs are where they cannot be removed now.
        StorageError: a storage cannot be read.
    """
    own = store.to_delete(name).own
    every, places = _look(store, storage)
    among = set(own)
    kept = [run for run in every if run.run_id in among]
    attempts = list_attempts(kept, places.found)
    _require_all_there(
        places, kept, {(run, each.attempt) for run in attempts for each in attempts[run]}
    )
    sizes = [size for of_run in attempts.values() for each in of_run for _, size in each.files]
    return OwnResults(
        own,
        sum(run.state == "done" for run in kept),
        len(sizes),
        sum(sizes),
        {run.run_id: _folders(run, places.found) for run in kept},
    )


def delete_sweep(
    store: Store,
    storage: str,
    name: str,
    *,
    results: bool,
    command: str,
    tell: Callable[[str], None],
) -> tuple[Deletion, int]:
    """Deletes the sweep as `Store.delete_sweep` says, with its spec in the storages.

    With `results`, first the runs that no other sweep holds, with all that was measured of them and
    their files. Files go before rows, so that a deletion that was cut short leaves a sweep that can
    be deleted again. Returns also how many runs were deleted so.

    Args:
        tell: called with a sentence about a storage that cannot be reached.

    Raises:
        DriverBusyError: a driver works on the database.
        UnknownSweepError, ResourceError: as `find_results`; nothing was changed.
        StorageError: a storage failed; what has files left has its rows.
    """
    with store.alone(command):
        found = find_results(store, storage, name) if results else None
        _forget_spec(store, storage, name, tell)
        deleted = 0
        if found is not None:

            def remove_files(run_id: str) -> None:
                for folder in found.folders.get(run_id, ()):
                    folder.remove_all()

            for start in range(0, len(found.runs), AT_ONCE):
                batch = found.runs[start : start + AT_ONCE]
                deleted += store.delete_runs(name, batch, remove_files)
        return store.delete_sweep(name), deleted


def _look(store: Store, storage: str) -> tuple[list[KeptRun], Places]:
    queries = Queries.of(store)
    kept = queries.kept_runs()
    return kept, find_places(kept, storage, queries.identity())


def _require_all_there(
    places: Places, kept: Sequence[KeptRun], found: set[tuple[str, int]]
) -> None:
    for where, error in places.unreachable.items():
        runs = sum(any(storage == where for _, storage in run.attempts) for run in kept)
        if runs:
            raise ResourceError(
                f"{error}; {format_runs(runs)} of the sweep wrote there, and nothing was deleted"
            )
    for where, runs in places.missing(kept, found).items():
        raise ResourceError(
            f"{where} has nothing of {format_runs(runs)} of the sweep that wrote there, and nothing"
            f" was deleted: mount its disk, or, if it is gone for good, add --storage {where}"
        )


def _folders(run: KeptRun, places: Sequence[Place]) -> list[Folder]:
    """In a place that may be other databases', too, only of attempts that are known."""
    found: list[Folder] = []
    for place in places:
        folder = place.folder.child(run.run_id)
        if place.is_noted:
            found.append(folder)
        else:
            here = (number for number, storage in run.attempts if storage == place.folder.location)
            found += (folder.child(str(number)) for number in here)
    return found


def _forget_spec(store: Store, storage: str, name: str, tell: Callable[[str], None]) -> None:
    """So that no rebuild brings the sweep back."""
    file = f"{name}.json"
    if not is_name(file):
        return  # no driver has ever kept it
    kept, places = _look(store, storage)
    wrote = {where for run in kept for _, where in run.attempts}
    for error in places.unreachable.values():
        tell(f"{error}; the spec of {name} stays there, if it is there")
    for place in places.found:
        # Another database's may have the same name.
        if place.is_noted or place.folder.location in wrote:
            place.folder.child(SPECS).remove(file)
