"""The size of the features from block to block: the mean of ||y_n||_2 over a sample of test images.

A scheme with a root outside the unit circle makes y_n grow like a power of its modulus, whatever f
adds (ZeroSNet, Condition 1).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from trainers.config.probes import FeatureNorms
from trainers.probes.subject import Meter, Subject, Value


def meter(config: FeatureNorms, subject: Subject) -> Meter:
    """Measures norms over a fixed sample: the same images in every run."""
    chosen = subject.shuffled_tests("feature norms")[: config.images].sort().values

    def measure(epoch: int) -> Iterator[Value]:
        totals: list[Tensor] = []
        with subject.measuring():
            for states in subject.states(chosen):
                for index, state in enumerate(states):
                    if index == len(totals):
                        totals.append(torch.zeros((), dtype=torch.float64, device=state.device))
                    # In float64, where no square of a finite feature overflows.
                    totals[index] += state.flatten(1).double().norm(dim=1).sum()
        for index, total in enumerate(totals):
            layer = f"block{index}" if index else "stem"
            yield Value("norm", layer, float(total) / len(chosen))

    return measure
