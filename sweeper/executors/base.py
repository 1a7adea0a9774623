"""The contract of an executor: somewhere tasks run, one on each slot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from sweeper.executors.placement import ONE_SLOT, Demand, Room
from sweeper.executors.reporting import Report
from sweeper.executors.tasks import Outcome, Task
from sweeper.spec.resources import Resources

MOST_VALUES = 10_000
"""Numbers that the driver takes at a time of what running tasks report."""


@dataclass(frozen=True)
class ExecutorOptions:
    """How an executor is started.

    Attributes:
        resources: of one slot.
        most_slots: of them at a time; None for as many as there is room for.
        address: of a cluster; None for this machine.
        dashboard: also start the executor's web page, on the loopback interface.
        hung_seconds: a task without a heartbeat for this long is killed, and comes out as Lost.
        trainers: those of the runs, which each worker imports before its first task.
        code: the SHA-256 of that of trainers and plug-ins of the runs, by kind and name, which a
            worker has to have as well.
        module_folders: where those that are not of an installed package are looked for, last.
        compiles: whether networks of the runs are compiled.
        without_variables: of the environment, which workers are not to have.
        secrets: that no log of a run may show, in addition to those in the environment.
        stop_asked: whether the process was asked to stop: for tasks that run inside it, and
            while the executor starts.
        tell: called with a sentence for the user, about what the tasks have to do without.
        on_wait: called by tasks that run inside the process, with a run id and what it waits for.
    """

    resources: Resources
    most_slots: int | None = None
    address: str | None = None
    dashboard: bool = False
    hung_seconds: float = float("inf")
    trainers: frozenset[str] = frozenset()
    code: Mapping[str, str] = field(default_factory=dict)
    module_folders: tuple[Path, ...] = ()
    compiles: bool = False
    without_variables: tuple[str, ...] = ()
    secrets: frozenset[str] = frozenset()
    stop_asked: Callable[[], bool] = lambda: False
    tell: Callable[[str], None] = lambda sentence: None
    on_wait: Callable[[str, str], None] = lambda run_id, sentence: None


class Executor(ABC):
    """Runs tasks. A context manager: the slots exist inside the `with` block only.

    Every submitted task comes out of `wait` exactly once, as one kind of Outcome, unless it is
    killed or the block is left before. An executor retries nothing; that is the scheduler's to
    decide.
    """

    @classmethod
    @abstractmethod
    def start(cls, options: ExecutorOptions) -> Self:
        """Make slots.

        Raises:
            ResourceError: the machine or cluster cannot run even one such task, or what was asked
                for is not installed.
            Interrupted: it was asked to stop.
        """

    @classmethod  # noqa: B027 - some start as many as there is room for
    def check(cls, processes: int) -> None:
        """Raises ResourceError if it starts no task with so many processes, wherever it is."""

    @property
    @abstractmethod
    def device(self) -> str:
        """The torch device of a slot, as the task on it sees it."""

    def largest_multiplier(self, processes: int = 1) -> int:
        """The largest resource multiplier of a task with so many processes.

        No process has more slots than one machine or device has.
        """
        return 1

    @abstractmethod
    def require(self, processes: int) -> None:
        """Raises ResourceError if no task with so many processes can ever start here."""

    @abstractmethod
    def limit(self, tasks: int) -> None:
        """At most this many slots are needed by the tasks of one process that are left to do.

        Further slots are given back to others.
        """

    @abstractmethod
    def has_room(self, demand: Demand = ONE_SLOT) -> bool:
        """Whether a task that needs so much can start at once.

        Slots come and go with machines.
        """

    @abstractmethod
    def room(self) -> Room:
        """Slots that are free, or will be in a moment."""

    @abstractmethod
    def held(self) -> dict[str, dict[str, int]]:
        """Slots by node that tasks have, by run id: of those on one slot the last one's."""

    @abstractmethod
    def submit(self, tasks: Sequence[Task]) -> None:
        """Start tasks, one after another on one slot, with the multiplier of the first one.

        A task of several processes is alone: all of them start, or none. It has one outcome, which
        is that of rank 0 if that was done or stopped, and else what ended the first process: the
        others are ended with it. It hangs when none of its processes has a heartbeat.

        Raises RuntimeError if there is no room for them.
        """

    @abstractmethod
    def running(self) -> int:
        """How many tasks are under way, one a slot: those submitted along with them wait."""

    @abstractmethod
    def wait(self, timeout: float) -> list[Outcome]:
        """Outcomes since the last call; waits up to `timeout` seconds for the first.

        Returns early, with nothing, if a slot was added. Raises ResourceError if no worker can
        be started any more, or no run can train anywhere.
        """

    def notes(self) -> dict[str, str]:
        """What is being waited for: by running tasks, by run id, or by the executor itself."""
        return {}

    def reports(self) -> list[Report]:
        """What running tasks have reported since the last call, oldest first; may be nothing.

        Called from another thread than the rest. Takes as much as MOST_VALUES at a time, and leaves
        the rest with the tasks, whose outcomes bring what was not taken.
        """
        return []

    @property
    def gpu_models(self) -> tuple[str, ...]:
        """Names of the GPUs that it has, as far as it can say."""
        return ()

    @abstractmethod
    def ask_to_stop(self) -> None:
        """Ask every running task to store a checkpoint at its next epoch, and end.

        No task begins after that.
        """

    @abstractmethod
    def kill(self, run_id: str) -> None:
        """End a running task at once; it does not come out of `wait`. Nothing if there is none."""

    @abstractmethod
    def close(self) -> None:
        """Stop what is running and give the slots back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
