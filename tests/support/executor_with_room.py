"""An executor with a fixed number of slots, and nothing that runs on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from sweeper.errors import ResourceError
from sweeper.executors.base import Executor, ExecutorOptions
from sweeper.executors.placement import ONE_SLOT, Demand, Room
from sweeper.executors.tasks import Outcome, Task


class ExecutorWithRoom(Executor):
    """What tasks have of the `whole` room is for `held` to say."""

    def __init__(self, whole: Room) -> None:
        self.whole = whole

    @classmethod
    def start(cls, options: ExecutorOptions) -> Self:
        raise NotImplementedError

    @property
    def device(self) -> str:
        return "cpu"

    def largest_multiplier(self, processes: int = 1) -> int:
        return self.whole.largest_multiplier(processes)

    def require(self, processes: int) -> None:
        if self.whole.places(Demand(processes)) is None:
            raise ResourceError(f"{processes} processes have no places on {self.whole}")

    def limit(self, tasks: int) -> None:
        raise NotImplementedError

    def has_room(self, demand: Demand = ONE_SLOT) -> bool:
        return self.room().places(demand) is not None

    def room(self) -> Room:
        room = self.whole
        for slots in self.held().values():
            room = room.with_less(slots)
        assert min(room.free.values()) >= 0, "a slot has two tasks"
        return room

    def running(self) -> int:
        return len(self.held())

    def submit(self, tasks: Sequence[Task]) -> None:
        raise NotImplementedError

    def wait(self, timeout: float) -> list[Outcome]:
        raise NotImplementedError

    def ask_to_stop(self) -> None:
        raise NotImplementedError

    def kill(self, run_id: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
