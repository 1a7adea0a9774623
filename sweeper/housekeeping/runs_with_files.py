"""Runs with everything that is kept of them in the storages, to be deleted together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.records import KeptRun
from sweeper.housekeeping.attempt_files import AttemptFiles
from sweeper.scheduling.storage_places import Place
from trainers.storage import Folder


@dataclass(frozen=True)
class RunsWithFiles:
    """Some runs, with their files and the folders that these lie in, by run id."""

    runs: tuple[KeptRun, ...]
    files: dict[str, tuple[AttemptFiles, ...]]
    folders: dict[str, tuple[Folder, ...]]

    @classmethod
    def among(
        cls,
        runs: Sequence[KeptRun],
        attempts: Mapping[str, Sequence[AttemptFiles]],
        places: Sequence[Place],
    ) -> RunsWithFiles:
        """These runs; `attempts` is what `list_attempts` finds of them in these places."""
        return cls(
            tuple(runs),
            {run.run_id: tuple(attempts.get(run.run_id, ())) for run in runs},
            {run.run_id: tuple(_folders(run, places)) for run in runs},
        )

    @property
    def done(self) -> int:
        """How many of them have a result."""
        return sum(run.state == "done" for run in self.runs)

    @property
    def attempts(self) -> int:
        """How often they were tried here."""
        return sum(len(run.attempts) for run in self.runs)

    @property
    def file_count(self) -> int:
        """How many files they have."""
        return sum(len(each.files) for of_run in self.files.values() for each in of_run)

    @property
    def size(self) -> int:
        """The bytes of these."""
        return sum(each.size for of_run in self.files.values() for each in of_run)

    def remove_files(self, run_id: str) -> None:
        """Removes everything in the folders of a run. Raises StorageError."""
        for folder in self.folders[run_id]:
            folder.remove_all()


def _folders(run: KeptRun, places: Sequence[Place]) -> list[Folder]:
    """In a place that may be other databases', too, only of attempts that are known."""
    if not run.attempts:
        return []  # what lies there of a run of others was put there by hand
    found: list[Folder] = []
    for place in places:
        folder = place.folder.child(run.run_id)
        if place.is_noted:
            found.append(folder)
        else:
            here = (number for number, storage in run.attempts if storage == place.folder.location)
            found += (folder.child(str(number)) for number in here)
    return found
