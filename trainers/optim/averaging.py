"""A running average of a network's weights, which is what is measured in their place."""

from __future__ import annotations

import torch
from torch import nn


class WeightAverage:
    """Keeps the weights of a network at the exponential moving average of another's.

    After n steps it is the mean of the weights after each of them, of which one counts d times as
    much as the one that follows, where d is `decay`: without the weights of the start, as Adam
    corrects its averages (Kingma and Ba 2015, section 3). Running statistics of normalisation are
    averaged as weights are; whole numbers, such as counts of batches, are copied.

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
        beyond = self._decay ** (steps + 1)
        kept = (self._decay - beyond) / (1 - beyond)
        for ours, theirs in self._pairs:
            if ours.is_floating_point():
                ours.lerp_(theirs, 1 - kept)
            else:
                ours.copy_(theirs)
