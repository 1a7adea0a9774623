"""K multistep networks as one: grouped convolutions, one normalisation over all channels.

The runs' channels lie side by side: (N, K C, H, W), run after run. Normalisation has statistics a
channel, ReLU and pooling act on each number or each channel, and a convolution with K groups keeps
the runs apart, so that the fused network computes what its K networks compute.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trainers.models.coefficients import FixedCoefficients


class CoefficientTensors(nn.Module):
    """A scheme's coefficients as a tensor on the device, which may change between replays.

    Args:
        values: (d + 1, 1), or (d + 1, K C) for fused runs with a column for each channel: alpha,
            then beta.
    """

    values: Tensor

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("values", values, persistent=False)

    def forward(self, slope: Tensor, history: list[Tensor]) -> Tensor:
        """In at least float32, as `trainers.models.multistep.network` does it: bf16 would round the
        coefficients.
        """
        *alpha, beta = (values.view(-1, 1, 1) for values in self.values.unbind())
        new = slope * beta
        for weight, state in zip(alpha, history, strict=True):
            new = new + state * weight
        return new.to(slope.dtype)


class StackedLinear(nn.Module):
    """K linear layers: (N, K features) -> (K, N, classes), by one batched product.

    Args:
        weight: (K, classes, features).
        bias: (K, classes).
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)

    def forward(self, pooled: Tensor) -> Tensor:
        runs, _, features = self.weight.shape
        each = pooled.view(-1, runs, features).transpose(0, 1)
        return torch.baddbmm(self.bias[:, None, :], each, self.weight.transpose(1, 2))


def with_coefficient_tensors(network: nn.Module) -> nn.Module:
    """`network`, changed in place: fixed coefficients are tensors instead of Python numbers."""
    for name, module in list(network.named_modules()):
        if isinstance(module, FixedCoefficients):
            values = torch.tensor(module.coefficients, dtype=_dtype(network)).view(-1, 1)
            _replace(network, name, CoefficientTensors(values.to(module.values.device)))
    return network


def fuse(networks: Sequence[nn.Module]) -> nn.Module:
    """One network (N, K channels, H, W) -> (K, N, classes) with the weights of K networks.

    Args:
        networks: of one structure, built by `trainers.models.multistep.network`, with fixed
        coefficients;
            they may differ in weights and in coefficients. They are left as they are.

    Raises:
        ValueError: they differ in structure, or have a layer that this does not know.
    """
    first = networks[0]
    structure = [(name, type(module), _facts(module)) for name, module in first.named_modules()]
    for network in networks[1:]:
        if structure != [(n, type(m), _facts(m)) for n, m in network.named_modules()]:
            raise ValueError("networks of different structure cannot be fused")
    fused = copy.deepcopy(first)
    for name, module in first.named_modules():
        together: list[Any] = [network.get_submodule(name) for network in networks]
        if isinstance(module, nn.Conv2d):
            _replace(fused, name, _fused_convolution(together))
        elif isinstance(module, nn.BatchNorm2d):
            _replace(fused, name, _fused_norm(together))
        elif isinstance(module, nn.Linear):
            weight = torch.stack([linear.weight.detach() for linear in together])
            bias = torch.stack([linear.bias.detach() for linear in together])
            _replace(fused, name, StackedLinear(weight, bias))
        elif isinstance(module, FixedCoefficients):
            block: Any = first.get_submodule(name.rpartition(".")[0])
            channels = block.function.conv2.out_channels
            columns = torch.tensor([each.coefficients for each in together], dtype=_dtype(first))
            values = columns.repeat_interleave(channels, dim=0).t().contiguous()
            _replace(fused, name, CoefficientTensors(values.to(module.values.device)))
        elif list(module.parameters(recurse=False)) or list(module.buffers(recurse=False)):
            raise ValueError(f"{name}, a {type(module).__name__}, cannot be fused")
    return fused


def _fused_convolution(convolutions: Sequence[nn.Conv2d]) -> nn.Conv2d:
    first: Any = convolutions[0]  # torch types its own attributes too widely to be given back
    runs = len(convolutions)
    if first.bias is not None or first.groups != 1 or first.dilation != (1, 1):
        raise ValueError(f"{first} cannot be fused: it has a bias, groups or dilation")
    fused = nn.Conv2d(
        runs * first.in_channels,
        runs * first.out_channels,
        first.kernel_size,
        stride=first.stride,
        padding=first.padding,
        groups=runs,
        bias=False,
        device=first.weight.device,
        dtype=first.weight.dtype,
    )
    weight = torch.cat([convolution.weight.detach() for convolution in convolutions])
    fused.weight = nn.Parameter(weight)
    return fused


def _fused_norm(norms: Sequence[nn.BatchNorm2d]) -> nn.BatchNorm2d:
    first = norms[0]
    fused = nn.BatchNorm2d(
        len(norms) * first.num_features,
        eps=first.eps,
        momentum=first.momentum,
        device=first.weight.device,
        dtype=first.weight.dtype,
    )
    states = [norm.state_dict() for norm in norms]
    fused.load_state_dict(
        {
            name: value if value.dim() == 0 else torch.cat([state[name] for state in states])
            for name, value in states[0].items()
        }
    )
    fused.train(first.training)
    return fused


def _facts(module: nn.Module) -> Any:
    """What two layers must share to be fused."""
    if isinstance(module, nn.Conv2d):
        return module.weight.shape, module.stride, module.padding
    if isinstance(module, nn.BatchNorm2d):
        return module.num_features, module.eps, module.momentum
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    if isinstance(module, FixedCoefficients):
        return len(module.coefficients)
    return None


def _replace(network: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, layer)


def _dtype(network: nn.Module) -> torch.dtype:
    return next(network.parameters()).dtype
