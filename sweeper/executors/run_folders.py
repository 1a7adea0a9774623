"""The folders of runs and of their attempts in a storage."""

from __future__ import annotations

from trainers.storage import Folder, open_folder

SENTINELS = "drivers"
"""The folder of the storage that holds a sentinel of each driver at work.

A sentinel is a file whose name, unlike any other, is its content. A worker that does not find it
there sees another folder under the same name as the driver.
"""


def run_folder(storage: str, run_id: str) -> Folder:
    """Where the attempts of a run write, each in a folder of its own."""
    return open_folder(storage, retry_seconds=0).child(run_id)


def attempt_folders(run: Folder) -> list[Folder]:
    """The folders of all attempts of a run so far, the newest first."""
    attempts = sorted((int(name) for name in run.names() if name.isdecimal()), reverse=True)
    return [run.child(str(attempt)) for attempt in attempts]
