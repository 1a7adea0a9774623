"""A running average of a network's weights, which is what is measured in their place."""

from __future__ import annotations

import torch
from torch import nn


class WeightAverage:
    """Keeps the weights of a network at the exponential moving average of another's.

    After each step a = d a + (1 - d) w, where d is `decay`, and smaller in the first steps, so that
    the random weights of the start are soon forgotten: (1 + n) / (10 + n) after n steps, if that is
    less, as TensorFlow's has it. Running statistics of normalisation are averaged as weights are;
    whole numbers, such as counts of batches, are copied.

    Args:
        network: the one that trains.
        averaged: another like it, whose weights are replaced.
    """

    def __init__(self, network: nn.Module, averaged: nn.Module, decay: float) -> None:
        averaged.load_state_dict(network.state_dict())
        self._decay = decay
        # What a state_dict has are the tensors themselves, which training changes in place.
        found = network.state_dict()
        self._pairs = [(ours, found[name]) for name, ours in averaged.state_dict().items()]

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """After a step that `steps` others came before."""
        decay = min(self._decay, (1 + steps) / (10 + steps))
        for ours, theirs in self._pairs:
            if ours.is_floating_point():
                ours.lerp_(theirs, 1 - decay)
            else:
                ours.copy_(theirs)
