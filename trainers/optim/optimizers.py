"""The optimizer of a run, and which of its parameters do not decay."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn import Parameter

from trainers.config.optimizers import DecayingConfig, OptimizerConfig, SgdConfig
from trainers.optim.base import Optimizer
from trainers.optim.sgd import SGD

_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


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
