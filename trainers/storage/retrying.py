"""A folder of a run: what failed because its storage could not be reached is tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential
from typing_extensions import override

from trainers.errors import StorageError, StorageUnreachableError
from trainers.stages import during
from trainers.storage.base import Folder

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0

T = TypeVar("T")

_pause = wait_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS)


class RetryingFolder(Folder):
    """Does the same as another folder, and tries again what failed as unreachable.

    Its errors are those of the stage "storage": a trainer that uses a storage of its own opens it
    without retries.

    Args:
        folder: the other one.
        retry_seconds: for how long after its first failure an operation is tried again; 0: once.
        on_wait: called with the reason before each pause; what it raises ends the waiting.
    """

    def __init__(
        self, folder: Folder, retry_seconds: float, on_wait: Callable[[str], None] | None = None
    ) -> None:
        self.location = folder.location
        self._folder = folder
        self._retry_seconds = retry_seconds
        self._on_wait = on_wait

    @override
    def write(self, name: str, content: bytes) -> None:
        self._retry(lambda: self._folder.write(name, content))

    @override
    def read(self, name: str, most: int | None = None) -> bytes:
        return self._retry(lambda: self._folder.read(name, most))

    @override
    def names(self) -> list[str]:
        return self._retry(self._folder.names)

    @override
    def files(self) -> Iterator[tuple[str, int]]:
        return iter(self._retry(lambda: list(self._folder.files())))

    @override
    def remove(self, name: str) -> None:
        self._retry(lambda: self._folder.remove(name))

    @override
    def remove_all(self) -> None:
        self._retry(self._folder.remove_all)

    @property
    @override
    def path(self) -> Path | None:
        return self._folder.path

    @override
    def child(self, name: str) -> RetryingFolder:
        return RetryingFolder(self._folder.child(name), self._retry_seconds, self._on_wait)

    def _retry(self, operation: Callable[[], T]) -> T:
        give_up_at = 0.0

        def seconds_left(state: RetryCallState) -> float:
            nonlocal give_up_at
            assert state.outcome_timestamp is not None
            if state.attempt_number == 1:
                give_up_at = state.outcome_timestamp + self._retry_seconds
            return give_up_at - state.outcome_timestamp

        def tell(state: RetryCallState) -> None:
            if self._on_wait is not None and state.outcome is not None:
                self._on_wait(str(state.outcome.exception()))

        retrying = Retrying(
            retry=retry_if_exception_type(StorageUnreachableError),
            wait=lambda state: min(_pause(state), seconds_left(state)),
            stop=lambda state: seconds_left(state) <= 0,
            before_sleep=tell,
            reraise=True,
        )
        with during("storage", StorageError):
            return retrying(operation)
