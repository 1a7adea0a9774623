"""What all lanes share, and what they give back."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from gpu.baseline import Pictures, pictures_of
from gpu.images import Batch, Model, TrainingSet, config_of, noise_images
from gpu.runs import EagerRun, Run, digest_after, synchronize
from gpu.timing import measure
from trainers.config.run import Precision


@dataclass(frozen=True)
class Row:
    """One measurement of one lane.

    Attributes:
        name: of the row in the report.
        images_per_second: of all runs of the lane together.
        memory_bytes: of the GPU, beyond what was in use before; None on a CPU.
        checks: what must be true.
        facts: what is worth knowing.
    """

    name: str
    images_per_second: float
    memory_bytes: int | None
    checks: dict[str, bool] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    """What the lanes share.

    Attributes:
        packs: how many runs share the device, ascending.
        workers: processes of the baseline's loader.
        check_steps: steps after which weights are compared.
    """

    device: torch.device
    model: Model
    images: int
    seconds: float
    packs: tuple[int, ...]
    workers: int
    check_steps: int

    @cached_property
    def noise(self) -> Batch:
        return noise_images(self.images, config_of(self.model, "fp32"))

    @cached_property
    def data(self) -> TrainingSet:
        return TrainingSet.on(self.device, self.noise, config_of(self.model, "fp32"))

    @cached_property
    def pictures(self) -> Pictures:
        return pictures_of(self.noise, config_of(self.model, "fp32"))

    def synchronize(self) -> None:
        synchronize(self.device)

    def eager_digest(self, precision: Precision) -> str:
        """Of the run of seed 0, as `trainers.training.train` steps it, when weights are
        compared.
        """
        run = EagerRun(config_of(self.model, precision), self.data)
        for _ in range(self.check_steps):
            run.step()
        self.synchronize()
        return run.digest()

    def digest(self, run: Run) -> str:
        """Of a run that restarts, when weights are compared."""
        return digest_after(run, self.check_steps)

    def rate(self, step: Callable[[], int], warm_up: int = 3) -> float:
        return measure(step, self.seconds, self.synchronize, warm_up=warm_up).images_per_second

    def memory(self) -> int | None:
        """Bytes of the GPU that are in use, by anyone."""
        if self.device.type != "cuda":
            return None
        self.synchronize()
        free, total = torch.cuda.mem_get_info()
        return total - free

    def used_since(self, before: int | None) -> int | None:
        now = self.memory()
        return None if now is None or before is None else now - before

    def release(self) -> int | None:
        """Give back what no one holds any more; the memory then in use."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return self.memory()
