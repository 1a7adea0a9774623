"""Deleting a sweep, in the database and in the storage."""

from __future__ import annotations

from results.records import Deleted
from results.store.store import Store
from sweeper.scheduling.run_storage import SPECS
from sweeper.scheduling.storage_places import find_place
from trainers.storage import open_folder
from trainers.storage.base import is_name


def delete_sweep(store: Store, storage: str, name: str, *, results: bool, command: str) -> Deleted:
    """Deletes the sweep as `Store.delete_sweep` says, with its spec in the storage.

    With `results`, also the folders of the runs that go. Files go before rows, so that a deletion
    that was cut short leaves a sweep that can be deleted again.

    Raises:
        DriverBusyError: a driver works on the database.
        UnknownSweepError: there is no such sweep; nothing was changed.
        StorageError: the storage cannot be reached; rows are as they were.
    """
    with store.alone(command):
        taken = store.to_delete(name, results=results)
        identity = store.known_identity()
        place = None if identity is None else find_place(open_folder(storage), identity)
        if place is not None:
            if is_name(f"{name}.json"):  # else no driver has ever kept it
                place.child(SPECS).remove(f"{name}.json")
            for run_id in taken.results:
                place.child(run_id).remove_all()
        return store.delete_sweep(name, results=results)
