"""What of the storages nobody needs any more, and removing it.

Only the database's own places are looked at, and there only folders of attempts that it knows:
others may be another database's, or all that is left of one that was lost. Every step can be cut
short: what is removed is garbage by itself, and what is left is found again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby

from results.errors import DriverBusyError
from results.records import KeptRun
from results.store.store import Store
from sweeper.housekeeping.kinds import DONE, IN_NO_SWEEP, LOST, Reason, kind_of
from sweeper.scheduling.storage_places import Place
from trainers.errors import ResultError
from trainers.result_file import RESULT_FILE, read_result
from trainers.storage import Folder
from trainers.storage.base import is_name
from trainers.training.checkpoint import WEIGHTS_FILE, has_whole_weights

AT_ONCE = 10
"""Runs whose files go in one transaction, for which others wait."""


@dataclass(frozen=True)
class AttemptFiles:
    """The files of one attempt in one storage, as paths inside its folder, with their bytes."""

    folder: Folder
    attempt: int
    files: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Garbage(AttemptFiles):
    """Those of them that can go.

    `ends_evaluations`: the run can no longer be measured once they are gone.
    """

    run: KeptRun
    reason: Reason
    ends_evaluations: bool

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(size for _, size in self.files)


def list_attempts(
    kept: Sequence[KeptRun], places: Sequence[Place]
) -> dict[str, list[AttemptFiles]]:
    """The files of all attempts that were made here, by run id. Raises StorageError."""
    known = {run.run_id: run for run in kept}
    found: dict[str, list[AttemptFiles]] = defaultdict(list)
    for place in places:
        where = place.folder.location
        # A place without a note may be other databases', too.
        ours = {
            (run.run_id, number)
            for run in kept
            for number, storage in run.attempts
            if place.is_noted or storage == where
        }
        files: dict[tuple[str, int], list[tuple[str, int]]] = defaultdict(list)
        for path, size in place.folder.files() if ours else ():
            run_id, _, rest = path.partition("/")
            start, _, inside = rest.partition("/")
            # A name that is none of a Folder's is not ours to remove.
            if run_id not in known or not inside or not all(map(is_name, path.split("/"))):
                continue
            number = int(start) if start.isdecimal() and not start.startswith("0") else None
            # Of a higher number is what another state of the database knew.
            if number is None or number > known[run_id].attempt:
                continue
            if place.is_noted or (run_id, number) in ours:
                files[run_id, number].append((inside, size))
        for (run_id, number), inner in files.items():
            folder = place.folder.child(run_id).child(str(number))
            found[run_id].append(AttemptFiles(folder, number, tuple(inner)))
    return found


def find_garbage(
    kept: Sequence[KeptRun], attempts: Mapping[str, Sequence[AttemptFiles]]
) -> Iterator[Garbage]:
    """What can go of these runs; `attempts` are all that can be read now, by run id.

    Checkpoints of done runs. Of attempts at a done run before the one that made its result all but
    the logs, if that one has a valid result, and valid weights if there are any: from these a
    database is filled again, and later evaluations measured. And checkpoints and weights of runs
    that no sweep holds; their results stay.

    Raises StorageError.
    """
    for run in kept:
        # What runs is its driver's, though that may be gone: the next one takes it over.
        if run.state != "running":
            yield from _of_run(run, attempts.get(run.run_id, ()))


def _of_run(run: KeptRun, attempts: Sequence[AttemptFiles]) -> Iterator[Garbage]:
    is_done, reason = run.state == "done", DONE if run.sweeps else IN_NO_SWEEP
    lost = [each for each in attempts if is_done and each.attempt < run.attempt]
    chosen = [found for each in lost if (found := _chosen(run, each, LOST))]
    if chosen and any(_is_whole(run, each.folder) for each in attempts if each not in lost):
        yield from chosen
    else:
        lost = []
    results = {each.attempt for each in attempts if RESULT_FILE in dict(each.files)}
    if reason == IN_NO_SWEEP or (is_done and run.attempt in results):
        for each in attempts:
            if each not in lost and (found := _chosen(run, each, reason)):
                yield found


def _is_whole(run: KeptRun, folder: Folder) -> bool:
    try:
        found = read_result(folder, run.run_id)
    except ResultError:
        return False
    return found is not None and (not run.has_weights or has_whole_weights(folder))


def _chosen(run: KeptRun, attempt: AttemptFiles, reason: Reason) -> Garbage | None:
    """Of the files those that go for this reason; None if there is none."""
    files = [file for file in attempt.files if reason in kind_of(file[0]).goes]
    if not files:
        return None
    weights = any(path.startswith(WEIGHTS_FILE) for path, _ in files)
    # The digest first: without it a file is none, however its removal ends.
    files.sort(key=lambda file: (not file[0].endswith(".sha256"), file[0]))
    return Garbage(
        attempt.folder,
        attempt.attempt,
        tuple(files),
        run,
        reason,
        ends_evaluations=weights and reason == IN_NO_SWEEP and run.state == "done",
    )


class Collection:
    """Removing garbage.

    Args:
        command: what others are told that this process does.

    Attributes:
        removed: so far.
        changed: how many runs were passed over, as they had changed since they were listed.
        is_driven: whether those in no sweep were passed over, as a driver was at work.
    """

    def __init__(self, store: Store, command: str) -> None:
        self._store = store
        self._command = command
        self.removed: list[Garbage] = []
        self.changed = 0
        self.is_driven = False

    def remove(self, found: Sequence[Garbage]) -> None:
        """Removes it, run by run; nobody can claim the run meanwhile, or put it into a sweep.

        Of runs that no sweep holds only while no driver is at work: it may have them at hand.

        Raises StorageError.
        """
        self._remove_all(each for each in found if each.reason != IN_NO_SWEEP)
        if not (unheld := [each for each in found if each.reason == IN_NO_SWEEP]):
            return
        with ExitStack() as stack:
            try:
                stack.enter_context(self._store.alone(self._command))
            except DriverBusyError:
                self.is_driven = True
                return
            self._remove_all(unheld)

    def _remove_all(self, found: Iterable[Garbage]) -> None:
        by_run = {run: list(those) for run, those in groupby(found, key=lambda each: each.run)}

        def remove_of(run: KeptRun) -> None:
            for each in by_run[run]:
                remove_files(each)

        runs = list(by_run)
        for start in range(0, len(runs), AT_ONCE):
            batch = runs[start : start + AT_ONCE]
            cleared = self._store.clear(batch, remove_of)
            self.removed += [each for run in cleared for each in by_run[run]]
            self.changed += len(batch) - len(cleared)


def remove_files(garbage: Garbage) -> None:
    """Removes it, and the attempt's folder if nothing is left in it. Raises StorageError."""
    for path, _ in garbage.files:
        *folders, name = path.split("/")
        inner = garbage.folder
        for part in folders:
            inner = inner.child(part)
        inner.remove(name)
    if next(garbage.folder.files(), None) is None:
        garbage.folder.remove_all()
