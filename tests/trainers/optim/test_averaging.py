"""Averaged weights by their definition, running statistics among them."""

from __future__ import annotations

import torch
from torch import nn

from trainers.optim.averaging import WeightAverage


def network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def test_an_average_is_what_its_definition_says_of_weights_and_running_statistics() -> None:
    trained, averaged = network(1), network(2)
    average = WeightAverage(trained, averaged, 0.5)
    expected = {key: value.clone() for key, value in trained.state_dict().items()}
    for steps in range(20):
        with torch.no_grad():
            trained(torch.randn(4, 1, 5, 5))  # which changes running statistics
            for parameter in trained.parameters():
                parameter.add_(torch.randn_like(parameter))
        average.update(steps)
        kept = min(0.5, (1 + steps) / (10 + steps))
        for key, value in trained.state_dict().items():
            if value.is_floating_point():
                expected[key] = kept * expected[key] + (1 - kept) * value
            else:
                expected[key] = value.clone()
    for key, value in averaged.state_dict().items():
        torch.testing.assert_close(value, expected[key])
    assert averaged.state_dict()["1.num_batches_tracked"] == 20
    assert not torch.equal(averaged[0].weight, trained[0].weight)
