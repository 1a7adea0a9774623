"""A folder that waits for its storage to come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from trainers.errors import StorageUnreachableError
from trainers.storage.base import Folder

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0

T = TypeVar("T")


class PatientFolder(Folder):
    """Does the same as another folder, and tries again what failed as unreachable.

    Args:
        folder: the other one.
        patience: for how many seconds after its first failure an operation is tried again.
        on_wait: called with the reason before each pause; what it raises ends the waiting.
    """

    def __init__(
        self, folder: Folder, patience: float, on_wait: Callable[[str], None] | None = None
    ) -> None:
        self.location = folder.location
        self._folder = folder
        self._patience = patience
        self._on_wait = on_wait

    def write(self, name: str, content: bytes) -> None:
        self._patiently(lambda: self._folder.write(name, content))

    def read(self, name: str) -> bytes:
        return self._patiently(lambda: self._folder.read(name))

    def names(self) -> list[str]:
        return self._patiently(self._folder.names)

    def remove(self, name: str) -> None:
        self._patiently(lambda: self._folder.remove(name))

    def remove_all(self) -> None:
        self._patiently(self._folder.remove_all)

    def child(self, name: str) -> PatientFolder:
        return PatientFolder(self._folder.child(name), self._patience, self._on_wait)

    def _patiently(self, operation: Callable[[], T]) -> T:
        pause = FIRST_PAUSE_SECONDS
        deadline: float | None = None
        while True:
            try:
                return operation()
            except StorageUnreachableError as error:
                now = time.monotonic()
                deadline = now + self._patience if deadline is None else deadline
                if now >= deadline:
                    raise
                if self._on_wait is not None:
                    self._on_wait(str(error))
            time.sleep(min(pause, LONGEST_PAUSE_SECONDS, deadline - now))
            pause *= 2
