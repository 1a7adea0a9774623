"""The contract of an executor: somewhere tasks run, one on each slot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from sweeper.spec import Resources
from sweeper.worker import Outcome, Task


class Executor(ABC):
    """Runs tasks. A context manager: the slots exist inside the `with` block only.

    Every submitted task comes out of `wait` exactly once, as Finished, Raised or Lost, unless the
    block is left before. An executor retries nothing; that is the scheduler's to decide.
    """

    @classmethod
    @abstractmethod
    def start(
        cls,
        resources: Resources,
        *,
        address: str | None,
        most_slots: int,
        dashboard: bool = False,
    ) -> Self:
        """Make slots for tasks that need `resources` each, at most `most_slots`.

        Args:
            address: of a cluster; None for this machine.
            dashboard: also start the executor's web page, on the loopback interface.

        Raises:
            ResourceError: the machine or cluster cannot run even one such task, or what was asked
                for is not installed.
        """

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many tasks run at a time."""

    @property
    @abstractmethod
    def device(self) -> str:
        """The torch device of a slot, as the task on it sees it."""

    @abstractmethod
    def submit(self, task: Task) -> None:
        """Start a task on a free slot. Raises RuntimeError if there is none."""

    @abstractmethod
    def wait(self, timeout: float) -> list[Outcome]:
        """Outcomes since the last call; waits up to `timeout` seconds for the first."""

    @abstractmethod
    def close(self) -> None:
        """Stop what is running and give the slots back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
