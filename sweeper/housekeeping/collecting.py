"""What of the storages nobody needs any more, and removing it.

Only the database's own places are looked at, and there only folders of attempts that it knows:
others may be another database's, or all that is left of one that was lost. Every step can be cut
short: what is removed is garbage by itself, and what is left is found again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from results.records import KeptRun, Removal
from results.store.store import Store
from sweeper.housekeeping.attempt_files import AttemptFiles
from sweeper.housekeeping.kinds import DONE, IN_NO_SWEEP, LOST, Reason, kind_of
from sweeper.housekeeping.runs_with_files import RunsWithFiles
from trainers.errors import ResultError
from trainers.result_file import RESULT_FILE, read_result
from trainers.storage import Folder
from trainers.training.checkpoint import WEIGHTS_FILE, has_whole_weights

AT_ONCE = 10
"""Runs whose files go in one transaction, for which others wait."""


@dataclass(frozen=True)
class Garbage(AttemptFiles):
    """Those of them that can go.

    `ends_evaluations`: the run can no longer be measured once they are gone.
    """

    run: KeptRun
    reason: Reason
    ends_evaluations: bool


def find_garbage(
    kept: Sequence[KeptRun], attempts: Mapping[str, Sequence[AttemptFiles]]
) -> Iterator[Garbage]:
    """What can go of these runs; `attempts` are all that can be read now, by run id.

    Checkpoints of done runs. Of attempts at a done run before the one that made its result all but
    the logs, if that one has a valid result, and valid weights if there are any: from these a
    database is filled again, and later evaluations measured. And checkpoints and weights of runs
    in no sweep; their results stay.

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
    """Removing garbage, and runs in no sweep.

    Of neither anything goes that has changed since it was listed, or that a driver may still have.

    Attributes:
        removed: garbage, so far.
        deleted: runs, so far.
        changed: runs that were passed over as not as they were listed any more.
        at_work: those that were as a driver at work may still have them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.removed: list[Garbage] = []
        self.deleted: list[KeptRun] = []
        self.changed: set[str] = set()
        self.at_work: set[str] = set()

    def remove(self, found: Sequence[Garbage]) -> None:
        """Removes it, run by run; nobody can claim the run meanwhile, or put it into a sweep.

        Raises StorageError.
        """
        by_run = {run: list(those) for run, those in groupby(found, key=lambda each: each.run)}

        def remove_of(run: KeptRun) -> None:
            for each in by_run[run]:
                remove_files(each)

        for batch in _batches(list(by_run)):
            cleared = self._store.clear(batch, remove_of)
            self.removed += [each for run in cleared.done for each in by_run[run]]
            self._note_left(cleared)

    def delete(self, whole: RunsWithFiles) -> None:
        """Deletes these runs, which are in no sweep; files before rows. Raises StorageError."""
        for batch in _batches(whole.runs):
            deleted = self._store.delete_runs_in_no_sweep(
                batch, lambda run: whole.remove_files(run.run_id)
            )
            self.deleted += deleted.done
            self._note_left(deleted)

    def _note_left(self, removal: Removal) -> None:
        self.changed |= {run.run_id for run in removal.changed}
        self.at_work |= {run.run_id for run in removal.at_work}


def _batches(runs: Sequence[KeptRun]) -> Iterator[Sequence[KeptRun]]:
    for start in range(0, len(runs), AT_ONCE):
        yield runs[start : start + AT_ONCE]


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
