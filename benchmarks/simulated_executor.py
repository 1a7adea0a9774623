"""An executor whose runs take time and nothing else, so that only the driver's work is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Self, cast

from no_op import nothing
from typing_extensions import override

from sweeper.errors import ResourceError
from sweeper.executors.base import MOST_VALUES, Executor, ExecutorOptions
from sweeper.executors.placement import ONE_SLOT, Demand, Room
from sweeper.executors.reporting import YOUNG_SECONDS, Report
from sweeper.executors.tasks import Finished, Outcome, Task

VALUES = {"loss": 0.5, "f1": 0.75, "auc": 0.9}


class SimulatedExecutor(Executor):
    """So many slots, on each of which a run ends after `seconds`.

    Args:
        epochs_a_second: that each running run reports, with three values each.
        young_seconds: how long a run has to run before anybody looks at its reports.
    """

    def __init__(
        self,
        slots: int = 64,
        seconds: float = 0.001,
        epochs_a_second: float = 0.0,
        young_seconds: float = YOUNG_SECONDS,
    ) -> None:
        self._slots, self._seconds, self._epochs_a_second = slots, seconds, epochs_a_second
        self._young_seconds = young_seconds
        self._running: list[tuple[float, list[Task]]] = []
        self._taken = 0
        self._reported: dict[str, int] = {}

    @classmethod
    @override
    def start(cls, options: ExecutorOptions) -> Self:
        return cls()

    @property
    @override
    def device(self) -> str:
        return "cpu"

    @override
    def limit(self, tasks: int) -> None:
        pass

    @override
    def require(self, processes: int) -> None:
        if processes > self._slots:
            raise ResourceError(f"{processes} processes need as many of {self._slots} slots")

    @override
    def has_room(self, demand: Demand = ONE_SLOT) -> bool:
        return self._taken + demand.slots <= self._slots

    @override
    def room(self) -> Room:
        return Room({"": self._slots - self._taken})

    @override
    def held(self) -> dict[str, dict[str, int]]:
        return {tasks[-1].run_id: {"": tasks[0].demand.slots} for _, tasks in self._running}

    @override
    def submit(self, tasks: Sequence[Task]) -> None:
        self._running.append((time.monotonic(), list(tasks)))
        self._taken += tasks[0].demand.slots

    @override
    def running(self) -> int:
        return len(self._running)

    @override
    def wait(self, timeout: float) -> list[Outcome]:
        if self._running:
            left = min(map(self._end, self._running)) - time.monotonic()
            time.sleep(max(0.0, min(left, timeout)))
        now = time.monotonic()
        ended = [bundle for bundle in self._running if self._end(bundle) <= now]
        self._running = [bundle for bundle in self._running if self._end(bundle) > now]
        self._taken -= sum(tasks[0].demand.slots for _, tasks in ended)
        return [self._finished(task) for _, tasks in ended for task in tasks]

    @override
    def reports(self) -> list[Report]:
        now, values = time.monotonic(), 0
        reports: list[Report] = []
        for began, tasks in list(self._running):
            for task in tasks if now - began >= self._young_seconds else ():
                last = self._reported.get(task.run_id, 0)
                newest = int((now - began) * self._epochs_a_second)
                if newest <= last:
                    continue
                epochs = [{"epoch": n, "values": VALUES} for n in range(last + 1, newest + 1)]
                self._reported[task.run_id] = newest
                values += len(epochs) * len(VALUES)
                if values > MOST_VALUES:
                    return reports
                reports.append(
                    {"run_id": task.run_id, "attempt": task.attempt, "first": 1, "epochs": epochs}
                )
        return reports

    @override
    def ask_to_stop(self) -> None:
        pass

    @override
    def kill(self, run_id: str) -> None:
        pass

    @override
    def close(self) -> None:
        self._running.clear()

    def _end(self, bundle: tuple[float, list[Task]]) -> float:
        began, tasks = bundle
        return began + len(tasks) * self._seconds

    def _finished(self, task: Task) -> Finished:
        trained = nothing(cast(Any, SimpleNamespace(config=SimpleNamespace(parameters=0))))
        result = {"format": 1, "run_id": task.run_id, "attempt": task.attempt, **trained}
        return Finished(task, {**result, "provenance": {"device": "cpu"}}, self._seconds)
