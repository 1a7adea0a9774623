"""Filling a database from what lies in the storage, after the one that knew of it was lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from results.errors import BadResultError
from results.store.store import Store
from sweeper.errors import RequestError
from sweeper.scheduling.run_storage import RunStorage
from sweeper.scheduling.scheduler import save
from sweeper.spec.spec import Spec
from trainers.errors import ResultError

_AT_ONCE = 500

_Result = tuple[str, int, dict[str, Any]]


@dataclass
class Rebuilt:
    """One sweep: its runs, how many are done now, and why results of others were not taken."""

    sweep: str
    runs: int
    done: int = 0
    refused: list[str] = field(default_factory=list)


def rebuild(store: Store, location: str, specs: Sequence[Spec], command: str) -> list[Rebuilt]:
    """Saves sweeps, and commits the results of their runs that the storage has.

    Each result is read, and checked, as when a driver takes over from one that is gone. What the
    database has already stays as it is.

    Args:
        location: of the storage.
        specs: in addition to those that the storage has kept; of one name, these.
        command: what others are told that this process does.

    Raises:
        RequestError: there is no spec at all, or a kept one is damaged.
        DriverBusyError: a driver works on the database.
        StorageError: the storage cannot be read.
    """
    with store.driving(command=command):
        own, whole = (RunStorage(location, 0.0, lambda sentence: None) for _ in range(2))
        own.take_place(store.identity())
        storages = {storage.location: storage for storage in (own, whole)}.values()
        found = {spec.name: spec for storage in (whole, own) for spec in storage.specs()}
        found |= {spec.name: spec for spec in specs}
        if not found:
            raise RequestError(
                f"{whole.location} has kept no spec: name the files of the sweeps that wrote there,"
                " as in 'sweep db rebuild quickstart.yaml'"
            )
        return [_fill(store, spec, storages) for spec in found.values()]


def _fill(store: Store, spec: Spec, storages: Iterable[RunStorage]) -> Rebuilt:
    save(store, spec)
    rebuilt = Rebuilt(spec.name, len(spec.configs))
    for storage in storages:
        store.writes_to(storage.location)
        pending = [run.run_id for run in store.pending(spec.name)]
        results = _results(storage, pending, rebuilt.refused)
        while some := list(islice(results, _AT_ONCE)):
            rebuilt.refused += _commit(store, some)
    rebuilt.done = store.counts(spec.name)["done"]
    return rebuilt


def _results(storage: RunStorage, run_ids: Sequence[str], refused: list[str]) -> Iterator[_Result]:
    """The newest whole result of each run; notes what is wrong with those that are none."""
    for run_id in run_ids:
        for attempt in storage.attempts(run_id):
            try:
                result = storage.result(run_id, attempt)
            except ResultError as error:
                refused.append(f"run {run_id}: {error}")
                continue
            if result is not None:
                yield run_id, attempt, result
                break


def _commit(store: Store, results: list[_Result]) -> list[str]:
    """Commits these; what is wrong with those that cannot be."""
    refused = []
    while results:
        try:
            store.refill(results)
            break
        except BadResultError as error:
            refused.append(str(error))
            results = [result for result in results if result[0] != error.run_id]
    return refused
