"""The files of the attempts that a database knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from results.records import KeptRun
from sweeper.scheduling.storage_places import Place
from trainers.storage import Folder
from trainers.storage.base import is_name


@dataclass(frozen=True)
class AttemptFiles:
    """The files of one attempt in one storage, as paths inside its folder, with their bytes."""

    folder: Folder
    attempt: int
    files: tuple[tuple[str, int], ...]

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
