"""trainers.optim.sgd.SGD over all parameters at once: a few launches a step instead of three for
each.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import Parameter


class ForeachSGD:
    """The update of `trainers.optim.sgd.SGD`, in its order of arithmetic.

    Velocities start as zeros, so that every step is the same work and a graph can hold it:
    momentum times 0 plus g is g, but for the sign of a zero.

    Args:
        parameters: those that learn; every one must have a gradient at each step.
        momentum, weight_decay, nesterov: as SGD has them.
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        *,
        momentum: float,
        weight_decay: float,
        nesterov: bool,
    ) -> None:
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._momentum = momentum
        self._weight_decay = weight_decay
        self._nesterov = nesterov
        self._velocities = [torch.zeros_like(parameter) for parameter in self._parameters]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def restart(self) -> None:
        """Velocities as before the first step, in place."""
        torch._foreach_zero_(self._velocities)

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        """One step along the gradients.

        A learning rate that is a number gives SGD's bits. One on the device, (), float32, may
        change between replays of a graph; its product with the velocity is rounded before it is
        added, where the former's may not be.

        Raises:
            RuntimeError: a parameter has no gradient.
        """
        parameters: list[Tensor] = list(self._parameters)
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        if len(gradients) != len(parameters):
            missing = len(parameters) - len(gradients)
            raise RuntimeError(f"{missing} of {len(parameters)} parameters have no gradient")
        if self._weight_decay != 0:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=self._weight_decay))
        if self._momentum != 0:
            torch._foreach_mul_(self._velocities, self._momentum)
            torch._foreach_add_(self._velocities, gradients)
            if self._nesterov:
                gradients = list(
                    torch._foreach_add(gradients, self._velocities, alpha=self._momentum)
                )
            else:
                gradients = self._velocities
        if isinstance(learning_rate, Tensor):
            torch._foreach_add_(parameters, torch._foreach_mul(gradients, -learning_rate))
        else:
            torch._foreach_add_(parameters, gradients, alpha=-learning_rate)
