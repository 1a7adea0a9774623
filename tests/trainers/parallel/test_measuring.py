"""Several processes that share the batches of a test measure what one does, to the bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gang_members import ATTACKS, EVALUATIONS, measure
from gangs import together

IMAGES = 3_100
"""Three whole batches, one for each process, and a shorter one for the first."""


@pytest.mark.long
def test_processes_that_share_the_batches_measure_what_one_does() -> None:
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(9, 10))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=2, generator=generator)
    images = torch.randint(0, 256, (IMAGES, 1, 3, 3), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (IMAGES,), generator=generator)
    alone = measure(None, network, images, labels)
    assert len(set(alone)) == 1 + len(EVALUATIONS) + len(ATTACKS) + 1
    assert together(3, measure, network, images, labels) == 3 * [alone]
    few = images[:900], labels[:900]  # one batch: the second process has none
    assert together(2, measure, network, *few) == 2 * [measure(None, network, *few)]
