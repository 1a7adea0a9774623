"""Does a fused network compute what its networks compute? Asked in float64, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gpu.fused import fuse
from gpu.images import Model, config_of
from trainers.training.building import build_network

_LAMBDAS = (-1.8, 1, -2)
_IMAGES = 4
_SIZE = 16


def largest_difference(model: Model) -> float:
    """The largest difference, of one training step of three networks of different weights and
    schemes, in any logit, loss, gradient or running statistic.
    """
    configs = [
        config_of(model, "fp32", seed, scheme={"lambda": lambda_})
        for seed, lambda_ in enumerate(_LAMBDAS)
    ]
    networks = [build_network(config, "cpu").double().train() for config in configs]
    facts = configs[0].dataset_facts
    generator = torch.Generator().manual_seed(1)
    shape = (len(networks), _IMAGES, facts.channels, _SIZE, _SIZE)
    images = torch.randn(shape, dtype=torch.float64, generator=generator)
    labels = torch.randint(0, facts.classes, shape[:2], generator=generator)
    fused = fuse(networks)
    return max(
        float((ours - theirs).abs().max())
        for ours, theirs in zip(
            _of_fused(fused, images, labels), _of_separate(networks, images, labels), strict=True
        )
    )


def _of_fused(fused: nn.Module, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
    runs = len(images)
    logits = fused(images.transpose(0, 1).flatten(1, 2))
    losses = [functional.cross_entropy(logits[run], labels[run]) for run in range(runs)]
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
    for run in range(runs):
        yield logits[run].detach()
        yield losses[run].detach()
        for tensor in _learned_and_kept(fused):
            yield tensor.chunk(runs)[run].flatten()


def _of_separate(networks: Sequence[nn.Module], images: Tensor, labels: Tensor) -> Iterator[Tensor]:
    for network, batch, classes in zip(networks, images, labels, strict=True):
        logits = network(batch)
        loss = functional.cross_entropy(logits, classes)
        loss.backward()  # type: ignore[no-untyped-call]
        yield logits.detach()
        yield loss.detach()
        for tensor in _learned_and_kept(network):
            yield tensor.flatten()


def _learned_and_kept(network: nn.Module) -> Iterator[Tensor]:
    """Gradients, then running statistics: what a fused network has run after run."""
    for parameter in network.parameters():
        assert parameter.grad is not None
        yield parameter.grad
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            yield module.running_mean
            yield module.running_var
