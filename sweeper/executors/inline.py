"""Tasks in the driver's own process, one after the other: for debugging and for small machines."""

from __future__ import annotations

from typing import Self

from sweeper.errors import ResourceError
from sweeper.executors.base import Executor
from sweeper.spec import Resources
from sweeper.worker import Outcome, Task, execute


class InlineExecutor(Executor):
    """One slot: this process. `wait` returns when the task is over, whatever its timeout."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._task: Task | None = None

    @classmethod
    def start(
        cls,
        resources: Resources,
        *,
        address: str | None,
        most_slots: int,
        dashboard: bool = False,
    ) -> Self:
        if dashboard:
            raise ResourceError("--ray-dashboard needs --executor ray: inline has no web page")
        if address is not None:
            raise ResourceError(
                f"--ray-address {address} needs --executor ray: inline runs in this process"
            )
        if resources.gpus == 0:
            return cls("cpu")
        import torch

        if not torch.cuda.is_available():
            raise ResourceError(
                f"the spec asks for {resources.gpus:g} of a GPU a run, and torch sees none here; "
                "--set resources.gpus=0 trains on the CPU"
            )
        return cls("cuda")

    @property
    def slots(self) -> int:
        return 1

    @property
    def device(self) -> str:
        return self._device

    def submit(self, task: Task) -> None:
        if self._task is not None:
            raise RuntimeError("the one slot is taken")
        self._task = task

    def wait(self, timeout: float) -> list[Outcome]:
        if self._task is None:
            return []
        task, self._task = self._task, None
        return [execute(task)]

    def close(self) -> None:
        self._task = None
