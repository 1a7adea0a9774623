"""What the runs of a sweep are called while it is driven."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from heapq import nsmallest
from typing import TYPE_CHECKING

from results.trainer_label import MOST_COMPARED, TrainerLabels
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun

if TYPE_CHECKING:
    from results.records import PendingRun


class RunLabels:
    """Of runs of a sweep that has these configs."""

    def __init__(self, configs: Iterable[TrainerRun]) -> None:
        self._configs = configs

    def of(self, run: PendingRun) -> str:
        """Such as "zerosnet [1.5, -1, 0.5; 1] depth 20 cifar10 seed 0", or "lr 0.1, seed 0
        (fit:train, epochs 3)".
        """
        if run.model is None:
            return str(self._of_trainers.label(run.config, run.seed))
        return f"{run.model} [{run.scheme}] depth {run.depth} {run.dataset} seed {run.seed}"

    @cached_property
    def _of_trainers(self) -> TrainerLabels:
        # Comparing all of them would keep the slots of a large sweep waiting.
        own = (config for config in self._configs if not isinstance(config, RunConfig))
        some = nsmallest(MOST_COMPARED, own, key=lambda config: config.run_id)
        return TrainerLabels(config.shared_json() for config in some)
