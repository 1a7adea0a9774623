"""Tasks in the driver's own process, one after the other: for debugging and for small machines."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any, Self

from typing_extensions import override

from sweeper.errors import ResourceError
from sweeper.executors.base import MOST_VALUES, Executor, ExecutorOptions
from sweeper.executors.heartbeat import Heartbeat
from sweeper.executors.placement import ONE_SLOT, Demand, Room
from sweeper.executors.reporting import Report
from sweeper.executors.tasks import Outcome, Task
from sweeper.executors.worker import execute
from sweeper.logs.capture import RunLogs
from trainers.errors import TrainerError
from trainers.run import prepare


class InlineExecutor(Executor):
    """One slot, which has the machine to itself: this process.

    `wait` returns when the task is over, whatever its timeout, so that there is never a note: what
    the task waits for is told meanwhile.
    A task that hangs or crashes does the same to the driver, and a cancelled one runs to its end.
    From a breakpoint on, what it writes goes to the terminal and not into its log.
    """

    def __init__(self, options: ExecutorOptions) -> None:
        self._device = options.resources.device
        self._heartbeat = Heartbeat(
            options.stop_asked, lambda sentence: options.on_wait(self._run_id, sentence)
        )
        self._tasks: list[Task] = []
        self._run_id = ""
        self._logs = RunLogs(options.secrets, options.tell)

    @classmethod
    @override
    def start(cls, options: ExecutorOptions) -> Self:
        resources = options.resources
        try:
            prepare(
                options.trainers,
                device=resources.device,
                threads=resources.threads,
                module_folders=options.module_folders,
                code=options.code,
                compiles=options.compiles,
            )
        except TrainerError as error:
            raise ResourceError(str(error)) from error
        return cls(options)

    @classmethod
    @override
    def check(cls, processes: int) -> None:
        if processes > 1:
            raise ResourceError(
                f"--executor inline trains in one process, and a run has training.data_parallel"
                f" {processes}: --executor ray starts as many as it needs, on this machine too"
            )

    @property
    @override
    def device(self) -> str:
        return self._device

    @override
    def limit(self, tasks: int) -> None:
        pass

    @override
    def require(self, processes: int) -> None:
        self.check(processes)

    @override
    def has_room(self, demand: Demand = ONE_SLOT) -> bool:
        return not self._tasks and demand.processes == 1

    @override
    def room(self) -> Room:
        return Room({"": 0 if self._tasks else 1})

    @override
    def held(self) -> dict[str, dict[str, int]]:
        return {self._tasks[-1].run_id: {"": 1}} if self._tasks else {}

    @override
    def submit(self, tasks: Sequence[Task]) -> None:
        if self._tasks:
            raise RuntimeError("the one slot is taken")
        self.require(tasks[0].processes)
        self._tasks = list(tasks)

    @override
    def running(self) -> int:
        return min(1, len(self._tasks))

    @override
    def wait(self, timeout: float) -> list[Outcome]:
        if not self._tasks:
            time.sleep(timeout)
            return []
        task = self._tasks.pop(0)
        self._run_id = task.run_id
        before, sys.breakpointhook = sys.breakpointhook, self._debug
        try:
            return [execute(task, self._heartbeat, self._logs)]
        finally:
            sys.breakpointhook = before

    def _debug(self, *arguments: Any, **more: Any) -> Any:
        self._logs.restore()
        if "PYTHONBREAKPOINT" in os.environ:
            return sys.__breakpointhook__(*arguments, **more)
        from pdb import Pdb

        return Pdb().set_trace(sys._getframe().f_back)

    @override
    def reports(self) -> list[Report]:
        report = self._heartbeat.take_report(MOST_VALUES)
        return [] if report is None else [report]

    @override
    def ask_to_stop(self) -> None:
        self._heartbeat.stop = True

    @override
    def kill(self, run_id: str) -> None:
        self._tasks = [task for task in self._tasks if task.run_id != run_id]

    @override
    def close(self) -> None:
        self._tasks.clear()
        self._logs.close()
