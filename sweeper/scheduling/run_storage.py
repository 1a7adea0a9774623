"""The storage of runs, as the driver uses it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sweeper.executors.worker import SENTINELS, attempt_folders, run_folder
from trainers.errors import StorageError
from trainers.run import read_result
from trainers.storage import open_folder


class RunStorage:
    """A folder for each run, and in it one for each attempt: on disk, or at an fsspec URL.

    Every method raises StorageError if the storage cannot be read or written.
    """

    def __init__(self, location: str, retry_seconds: float, on_wait: Callable[[str], None]) -> None:
        self._folder = open_folder(location, retry_seconds=retry_seconds, on_wait=on_wait)
        self.location = self._folder.location

    @contextmanager
    def sentinel(self) -> Iterator[str]:
        """A file in the storage that workers must find: then all of them mean the same storage."""
        # Without retries: who starts a sweep must see at once that its storage is unreachable.
        folder = open_folder(self.location).child(SENTINELS)
        sentinel = uuid.uuid4().hex
        folder.write(sentinel, sentinel.encode())
        try:
            yield sentinel
        finally:
            with suppress(StorageError):
                folder.remove(sentinel)

    def result(
        self, run_id: str, attempt: int, storage: str | None = None
    ) -> dict[str, Any] | None:
        """The result an interrupted attempt had stored, here or in another `storage`."""
        if storage in (None, self.location):
            return read_result(self._folder.child(run_id).child(str(attempt)), run_id)
        try:
            return read_result(run_folder(str(storage), run_id).child(str(attempt)), run_id)
        except StorageError:
            return None  # of a driver that is gone, and perhaps its disk with it

    def tidy(self, run_id: str, attempt: int) -> None:
        """Removes the run's checkpoints and interrupted attempts, if it can.

        The result of `attempt`, which stays, has replaced them.
        """
        with suppress(StorageError):
            run = open_folder(self.location).child(run_id)
            for folder in attempt_folders(run):
                if not folder.location.endswith(f"/{attempt}"):
                    folder.remove_all()
            kept = run.child(str(attempt))
            for name in kept.names():
                if name.lstrip(".").startswith("checkpoint-"):
                    kept.remove(name)
