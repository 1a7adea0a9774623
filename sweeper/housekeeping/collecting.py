"""What of the storage nobody needs any more, and removing it.

Only the database's own place in the storage is looked at, and there only folders of runs that it
knows: others may be another database's, or all that is left of one that was lost. Every step can be
cut short: what is removed is garbage by itself, and what is left is found again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from results.records import KeptRun
from sweeper.housekeeping.kinds import kind_of
from trainers.run import RESULT_FILE
from trainers.storage import Folder
from trainers.storage.base import is_name
from trainers.training.checkpoint import WEIGHTS_FILE

Reason = Literal["checkpoints of a done run", "an attempt that lost", "of a run in no sweep"]


@dataclass(frozen=True)
class Garbage:
    """Files of one attempt that can go, as paths inside its folder, with their bytes.

    `ends_evaluations`: the run can no longer be measured once they are gone.
    """

    run_id: str
    attempt: int
    reason: Reason
    files: tuple[tuple[str, int], ...]
    ends_evaluations: bool = False

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(size for _, size in self.files)


def find_garbage(kept: Sequence[KeptRun], place: Folder, *, unheld: bool) -> Iterator[Garbage]:
    """What can go of these runs.

    Checkpoints of done runs. Of attempts at a done run before the one that made its result all but
    the logs, if that attempt's folder has the result, and the weights if there are any: from these
    a database is filled again, and later evaluations measured. And, if `unheld`, checkpoints and
    weights of runs that no sweep holds; their results stay.

    Raises StorageError.
    """
    for run in kept:
        own = {number for number, storage in run.attempts if storage == place.location}
        # What runs is its driver's, though that may be gone: the next one takes it over.
        if not own or run.state == "running":
            continue
        yield from _of_run(run, own, place.child(run.run_id), unheld=unheld and not run.sweeps)


def _of_run(run: KeptRun, own: set[int], folder: Folder, *, unheld: bool) -> Iterator[Garbage]:
    by_attempt: dict[int, list[tuple[str, int]]] = {}
    for path, size in folder.files():
        start, _, inside = path.partition("/")
        # Of a higher number is what another state of the database knew.
        ours = start.isdecimal() and int(start) <= run.attempt
        # A name that is none of a Folder's is not ours to remove.
        if inside and ours and all(map(is_name, inside.split("/"))):
            by_attempt.setdefault(int(start), []).append((inside, size))
    names = {name for name, _ in by_attempt.get(run.attempt, ())}
    whole = run.attempt in own and RESULT_FILE in names
    whole = whole and (not run.has_weights or {WEIGHTS_FILE, f"{WEIGHTS_FILE}.sha256"} <= names)
    for number, files in sorted(by_attempt.items()):
        if run.state == "done" and whole and number < run.attempt:
            yield from _made(run, number, "an attempt that lost", files, ("logs",), keep=True)
            continue
        if unheld:
            kinds = ("checkpoints", "weights")
            yield from _made(run, number, "of a run in no sweep", files, kinds, keep=False)
        elif run.state == "done" and RESULT_FILE in names:
            reason: Reason = "checkpoints of a done run"
            yield from _made(run, number, reason, files, ("checkpoints",), keep=False)


def _made(
    run: KeptRun,
    attempt: int,
    reason: Reason,
    files: list[tuple[str, int]],
    kinds: tuple[str, ...],
    *,
    keep: bool,
) -> Iterator[Garbage]:
    """Of the files those of these kinds, or, to `keep` these, the others; none if there is none."""
    chosen = [
        (path, size) for path, size in files if (kind_of(path.rpartition("/")[2]) in kinds) != keep
    ]
    if chosen:
        weights = any(kind_of(path) == "weights" for path, _ in chosen)
        ends = weights and reason == "of a run in no sweep" and run.state == "done"
        # The digest first: without it a file is none, however its removal ends.
        chosen.sort(key=lambda file: (not file[0].endswith(".sha256"), file[0]))
        yield Garbage(run.run_id, attempt, reason, tuple(chosen), ends)


def remove(place: Folder, garbage: Garbage) -> None:
    """Removes these files. Raises StorageError."""
    folder = place.child(garbage.run_id).child(str(garbage.attempt))
    for path, _ in garbage.files:
        *folders, name = path.split("/")
        inner = folder
        for part in folders:
            inner = inner.child(part)
        inner.remove(name)
    if next(folder.files(), None) is None:
        folder.remove_all()
