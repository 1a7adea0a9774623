"""What training asks of an optimizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from torch.nn import Parameter

from trainers.config.optimizers import OptimizerConfig


class Optimizer(ABC):
    """An optimizer of those of the parameters that need gradients.

    Args:
        recipe: its options.
        undecayed: those of the parameters whose weights do not decay.
    """

    _recipe: OptimizerConfig

    def __init__(
        self,
        parameters: Iterable[Parameter],
        recipe: OptimizerConfig,
        undecayed: Iterable[Parameter] = (),
    ) -> None:
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        spared = set(undecayed)
        self._decayed = [parameter not in spared for parameter in self._parameters]
        self._recipe = recipe
        self._begin()

    @abstractmethod
    def _begin(self) -> None:
        """Make what it keeps, as it is before the first step."""

    @property
    @abstractmethod
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups of parameters, each a list under "params"."""

    @abstractmethod
    def zero_grad(self) -> None:
        """Forget all gradients."""

    @abstractmethod
    def step(self, learning_rate: float) -> None:
        """One step along the current gradients."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on to the same bits."""

    @abstractmethod
    def takes(self, state: object) -> bool:
        """Whether `load_state_dict` takes this."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a `state_dict`, moved to the devices of the parameters."""
