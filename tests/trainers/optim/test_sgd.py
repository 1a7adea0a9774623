"""The optimizer compared with torch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainers.config.optimizers import SgdConfig
from trainers.optim.sgd import SGD

RECIPES = [
    {"momentum": 0.9, "weight_decay": 1e-4, "nesterov": False},
    {"momentum": 0.9, "weight_decay": 0.0, "nesterov": True},
    {"momentum": 0.0, "weight_decay": 5e-4, "nesterov": False},
]


def make_network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(72, 5))


def gradients_of(network: nn.Module, step: int) -> None:
    torch.manual_seed(step)
    images, labels = torch.randn(16, 3, 5, 5), torch.randint(5, (16,))
    nn.functional.cross_entropy(network(images), labels).backward()


def weights(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_sgd_is_bit_identical_to_torchs(recipe: dict[str, Any]) -> None:
    ours, theirs = make_network(), make_network()
    sgd = SGD(ours.parameters(), SgdConfig(**recipe))
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, **recipe)
    for step in range(5):
        learning_rate = 0.1 / (step + 1)
        reference.param_groups[0]["lr"] = learning_rate
        for network, optimizer in ((ours, sgd), (theirs, reference)):
            optimizer.zero_grad()
            gradients_of(network, step)
        sgd.step(learning_rate)
        reference.step()
        assert all(map(torch.equal, weights(ours), weights(theirs)))
        velocities = reference.state_dict()["state"]
        for index, entry in sgd.state_dict()["state"].items():
            assert torch.equal(entry["momentum_buffer"], velocities[index]["momentum_buffer"])


def test_sgd_continues_from_torchs_optimizer_state() -> None:
    recipe = RECIPES[0]
    theirs = make_network()
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, **recipe)
    gradients_of(theirs, 0)
    reference.step()
    ours = make_network()
    ours.load_state_dict(theirs.state_dict())
    sgd = SGD(ours.parameters(), SgdConfig(**recipe))
    sgd.load_state_dict(reference.state_dict())
    for network, optimizer in ((ours, sgd), (theirs, reference)):
        optimizer.zero_grad()
        gradients_of(network, 1)
    sgd.step(0.1)
    reference.step()
    assert all(map(torch.equal, weights(ours), weights(theirs)))


def test_parameters_without_a_gradient_do_not_change() -> None:
    network = make_network()
    before = weights(network)
    SGD(network.parameters(), SgdConfig(**RECIPES[0])).step(0.1)
    assert all(map(torch.equal, weights(network), before))
