"""Stochastic gradient descent with momentum, as all five papers train.

The arithmetic is that of `torch.optim.SGD`, in its order, to the same bits. That class imports
torch's compiler when it is first used, which takes longer than many a run here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from trainers.config.optimizers import SgdConfig
from trainers.optim.base import Optimizer


class SGD(Optimizer):
    """Heavy-ball momentum (Polyak 1964), or Nesterov's as Sutskever et al. (2013) write it.

    Weight decay is added to the gradient: g = dL/dw + weight_decay w; v = momentum v + g, which
    starts as g; w = w - lr v, with Nesterov's w - lr (g + momentum v). Of a gradient that is
    dampened, v takes (1 - dampening) g.
    """

    _recipe: SgdConfig

    @override
    def _begin(self) -> None:
        self._velocities: dict[int, Tensor] = {}

    @property
    @override
    def param_groups(self) -> list[dict[str, Any]]:
        """All parameters, where those who unscale or clip gradients look for them."""
        return [{"params": self._parameters}]

    @override
    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @override
    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """One step along the current gradients."""
        momentum, weight_decay = self._recipe.momentum, self._recipe.weight_decay
        taken = 1 - (self._recipe.dampening or 0)
        for index, parameter in enumerate(self._parameters):
            if parameter.grad is None:
                continue
            gradient = parameter.grad
            if weight_decay != 0 and self._decayed[index]:
                gradient = gradient.add(parameter, alpha=weight_decay)
            if momentum != 0:
                velocity = self._velocities.get(index)
                if velocity is None:
                    velocity = self._velocities[index] = gradient.clone()
                else:
                    velocity.mul_(momentum).add_(gradient, alpha=taken)
                if self._recipe.nesterov:
                    gradient = gradient.add(velocity, alpha=momentum)
                else:
                    gradient = velocity
            parameter.add_(gradient, alpha=-learning_rate)

    @override
    def state_dict(self) -> dict[str, Any]:
        """The velocities, in the form that torch.optim.SGD has for them."""
        return {
            "state": {
                index: {"momentum_buffer": velocity} for index, velocity in self._velocities.items()
            }
        }

    @override
    def takes(self, state: object) -> bool:
        """Whether `load_state_dict` takes this: velocities of the shapes of their parameters."""
        velocities = state.get("state") if isinstance(state, dict) else None
        return isinstance(velocities, dict) and all(
            index in range(len(self._parameters))
            and isinstance(entry, dict)
            and (
                (velocity := entry.get("momentum_buffer")) is None
                or (
                    isinstance(velocity, Tensor)
                    and velocity.shape == self._parameters[index].shape
                    and velocity.dtype == self._parameters[index].dtype
                )
            )
            for index, entry in velocities.items()
        )

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Loads velocities, moved to the devices of their parameters."""
        self._velocities = {
            index: entry["momentum_buffer"].to(self._parameters[index].device, copy=True)
            for index, entry in state["state"].items()
            if entry.get("momentum_buffer") is not None
        }
