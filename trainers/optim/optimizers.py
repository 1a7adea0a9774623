"""The optimizer of a run, and which of its parameters do not decay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from torch import nn
from torch.nn import Parameter

from trainers.config.optimizers import DecayingConfig, OptimizerConfig, SgdConfig
from trainers.optim.sgd import SGD

_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


class Optimizer(Protocol):
    """What training asks of an optimizer."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups of parameters, each a list under "params"."""

    def zero_grad(self) -> None:
        """Forget all gradients."""

    def step(self, learning_rate: float) -> None:
        """One step along the current gradients."""

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on to the same bits."""

    def takes(self, state: object) -> bool:
        """Whether `load_state_dict` takes this."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a `state_dict`, moved to the devices of the parameters."""


def make_optimizer(network: nn.Module, recipe: OptimizerConfig) -> Optimizer:
    """The optimizer of these options for all parameters of the network.

    Raises TrainerError if this version of torch has none such.
    """
    spared = isinstance(recipe, DecayingConfig) and recipe.decay_norms_and_biases is False
    undecayed = norms_and_biases(network) if spared else ()
    if isinstance(recipe, SgdConfig):
        return SGD(network.parameters(), recipe, undecayed)
    from trainers.optim.torch_optimizer import TorchOptimizer

    return TorchOptimizer(network.parameters(), recipe, undecayed)


def norms_and_biases(network: nn.Module) -> Iterator[Parameter]:
    """What normalisation scales and shifts by, and every parameter of the name "bias".

    Coefficients that blocks learn are neither.
    """
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if name == "bias" or isinstance(module, _NORMS):
                yield parameter
