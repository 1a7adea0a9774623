"""Averaged weights by their definition, running statistics among them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainers.optim.averaging import WeightAverage


def network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_an_average_is_what_its_definition_says_of_weights_and_running_statistics(
    decay: float,
) -> None:
    trained, averaged = network(1), network(2)
    average = WeightAverage(trained, averaged, decay)
    seen = []
    for steps in range(20):
        with torch.no_grad():
            trained(torch.randn(4, 1, 5, 5))  # which changes running statistics
            for parameter in trained.parameters():
                parameter.add_(torch.randn_like(parameter))
        average.update(steps)
        seen.append({key: value.clone() for key, value in trained.state_dict().items()})
    counts = [decay**age for age in reversed(range(20))]
    for key, value in averaged.state_dict().items():
        if value.is_floating_point():
            weighted = [count * state[key] for count, state in zip(counts, seen, strict=True)]
            expected = torch.stack(weighted).sum(0) / sum(counts)
            torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)
    assert averaged.state_dict()["1.num_batches_tracked"] == 20


def test_before_the_first_step_an_average_is_the_network() -> None:
    trained, averaged = network(1), network(2)
    WeightAverage(trained, averaged, 0.9)
    for key, value in averaged.state_dict().items():
        assert torch.equal(value, trained.state_dict()[key])
