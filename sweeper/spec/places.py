"""Whether the resources of a spec are such that its runs can use them."""

from __future__ import annotations

from collections.abc import Iterable

from sweeper.spec.resources import Resources
from trainers.config.trainer_run import TrainerRun
from trainers.config.trainers import BUILT_IN_TRAINER
from trainers.errors import ConfigError


def check_places(resources: Resources, configs: Iterable[TrainerRun]) -> None:
    """Raises ConfigError, whose path leads to what is wrong in the spec."""
    kinds = {(config.trainer, config.processes) for config in configs}
    most = max((processes for _, processes in kinds), default=1)
    if resources.gpus > 1 and any(trainer == BUILT_IN_TRAINER for trainer, _ in kinds):
        raise ConfigError(
            ("resources", "gpus"),
            f"resources.gpus {resources.gpus:g} is of each process, which trains on one GPU: to"
            f" train a run on {resources.gpus:g}, say training: {{data_parallel:"
            f" {resources.gpus:g}}} and resources: {{gpus: 1}}",
        )
    if most > 1 and 0 < resources.gpus < 1:
        raise ConfigError(
            ("resources", "gpus"),
            f"resources.gpus {resources.gpus:g} is a part of a GPU, and each of the {most}"
            " processes of training.data_parallel needs one of its own: gpus: 1, or 0 to train on"
            " CPUs",
        )
    if resources.nodes is not None and resources.nodes > most:
        raise ConfigError(
            ("resources", "nodes"),
            f"resources.nodes {resources.nodes} is more than the {most} of training.data_parallel:"
            " each machine has at least one process",
        )
