"""Whether what was stored fits the run: a file can be whole and not be this run's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from trainers.config.job import EpochMetrics, ProbeValue
from trainers.config.run import RunConfig
from trainers.config.schedules.plateau import PlateauConfig
from trainers.optim.base import Optimizer


def fits(
    epoch: int,
    state: Mapping[str, Any],
    config: RunConfig,
    network: nn.Module,
    optimizer: Optimizer,
) -> bool:
    """Whether training can go on from this state, which is said to be after `epoch` epochs."""
    diverged = state.get("diverged_epoch", 0)
    return (
        1 <= epoch <= config.training.epochs
        and weights_fit(network, state.get("network"))
        and optimizer.takes(state.get("optimizer"))
        and _are(state.get("epochs"), EpochMetrics.__required_keys__)
        and [metrics["epoch"] for metrics in state["epochs"]] == list(range(1, epoch + 1))
        and _validated(state.get("validations", []), epoch, config, diverged)
        # A checkpoint of an older version has none, nor has its run.
        and _are(state.get("probes", []), ProbeValue.__required_keys__)
        and (diverged is None or diverged in range(1, epoch + 1))
    )


def _validated(found: object, epoch: int, config: RunConfig, diverged: object) -> bool:
    """Whether there is a measurement for each epoch, where a plateau is looked for."""
    expected = epoch if isinstance(config.training.lr_schedule, PlateauConfig) else 0
    return (
        isinstance(found, list)
        and all(isinstance(value, float) for value in found)
        and (len(found) == expected or diverged is not None)
    )


def weights_fit(network: nn.Module, weights: object) -> bool:
    """Whether these are all the network's weights by name, of the same shapes and types."""
    own = network.state_dict()
    return (
        isinstance(weights, Mapping)
        and weights.keys() == own.keys()
        and all(
            isinstance(weights[name], Tensor)
            and weights[name].shape == value.shape
            and weights[name].dtype == value.dtype
            for name, value in own.items()
        )
    )


def _are(found: object, keys: frozenset[str]) -> bool:
    return isinstance(found, list) and all(
        isinstance(item, dict) and keys <= item.keys() for item in found
    )
