"""The untrained network of a run."""

from __future__ import annotations

import torch
from torch import nn

from trainers.config.run import RunConfig
from trainers.evaluation.precision import weights_dtype
from trainers.models.strided_pointwise import replace_strided_pointwise
from trainers.rng import seeded_generator


def build_network(config: RunConfig, device: str) -> nn.Module:
    """The untrained network of a run, its weights drawn on the CPU from the run's seed."""
    facts = config.dataset_facts
    network = config.architecture.build(
        config.model,
        config.scheme,
        channels=facts.channels,
        classes=facts.classes,
        generator=seeded_generator(config.seed, "initialisation"),
    )
    # Channels last is what both oneDNN and cuDNN are quickest at for 3x3 convolutions.
    placed: nn.Module = network.to(  # type: ignore[call-overload]
        device, weights_dtype(config.precision), memory_format=torch.channels_last
    )
    replace_strided_pointwise(placed, torch.device(device))
    return placed
