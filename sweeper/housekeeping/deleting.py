"""Deleting a sweep, in the database and in the storages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from results.queries.queries import Queries
from results.records import Deletion, KeptRun
from results.store.store import Store
from sweeper.errors import ResourceError
from sweeper.housekeeping.attempt_files import list_attempts
from sweeper.housekeeping.collecting import AT_ONCE
from sweeper.housekeeping.places import Places, find_places
from sweeper.housekeeping.runs_with_files import RunsWithFiles
from sweeper.scheduling.progress import format_runs
from sweeper.scheduling.run_storage import SPECS
from trainers.storage.base import is_name


def find_results(store: Store, storage: str, name: str) -> RunsWithFiles:
    """What goes with this sweep if its results go: runs that no other holds, and were tried.

    Raises:
        UnknownSweepError: there is no such sweep.
        ResourceError: files of these runs are where they cannot be removed now.
        StorageError: a storage cannot be read.
    """
    queries = Queries.of(store)
    places = find_places(queries.kept_runs(), storage, queries.identity())
    runs = queries.all_runs(store.to_delete(name).own)
    attempts = list_attempts(runs, places.found)
    seen = {(run_id, each.attempt) for run_id in attempts for each in attempts[run_id]}
    _require_all_there(places, runs, seen)
    return RunsWithFiles.among(runs, attempts, places.found)


def delete_sweep(
    store: Store, storage: str, name: str, *, results: bool, tell: Callable[[str], None]
) -> tuple[Deletion, int]:
    """Deletes the sweep as `Store.delete_sweep` says, with its spec in the storages.

    With `results`, first the runs that no other sweep holds, with all that was measured of them and
    their files. Files go before rows, and the sweep goes last, so that a deletion that was cut
    short leaves a sweep that can be deleted again. Returns also how many runs were deleted so.

    Args:
        tell: called with a sentence about a storage that cannot be reached.

    Raises:
        DriverBusyError: a driver works on the sweep.
        UnknownSweepError, ResourceError: as `find_results`; nothing was changed.
        StorageError: a storage failed; what has files left has its rows.
    """
    deleted = 0
    if results:
        whole = find_results(store, storage, name)
        run_ids = [run.run_id for run in whole.runs]
        for start in range(0, len(run_ids), AT_ONCE):
            batch = run_ids[start : start + AT_ONCE]
            deleted += store.delete_runs(name, batch, whole.remove_files)
    return store.delete_sweep(name, _forgetting(store, storage, name, tell)), deleted


def _require_all_there(
    places: Places, runs: Sequence[KeptRun], found: Collection[tuple[str, int]]
) -> None:
    for where, error in places.unreachable.items():
        wrote = sum(any(storage == where for _, storage in run.attempts) for run in runs)
        if wrote:
            raise ResourceError(
                f"{error}; {format_runs(wrote)} of the sweep wrote there, and nothing was deleted"
            )
    for where, missing in places.missing(runs, found).items():
        raise ResourceError(
            f"{where} has nothing of {format_runs(missing)} of the sweep that wrote there, and"
            f" nothing was deleted: mount its disk, or, if it is gone for good, add --storage"
            f" {where}"
        )


def _forgetting(
    store: Store, storage: str, name: str, tell: Callable[[str], None]
) -> Callable[[], None]:
    """What removes the spec from the storages, so that no rebuild brings the sweep back."""
    file = f"{name}.json"
    if not is_name(file):
        return lambda: None  # no driver has ever kept it
    queries = Queries.of(store)
    kept = queries.kept_runs()
    places = find_places(kept, storage, queries.identity())
    wrote = {where for run in kept for _, where in run.attempts}
    for error in places.unreachable.values():
        tell(f"{error}; the spec of {name} stays there, if it is there")

    def forget() -> None:
        for place in places.found:
            # Another database's may have the same name.
            if place.is_noted or place.folder.location in wrote:
                place.folder.child(SPECS).remove(file)

    return forget
