"""Optimizers of torch.optim as training uses them: the same steps, and the same from a state."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainers.config.optimizers import OPTIMIZER, OPTIMIZERS, SgdConfig
from trainers.errors import TrainerError
from trainers.optim.base import Optimizer
from trainers.optim.optimizers import make_optimizer, norms_and_biases

OF_TORCH = [name for name in OPTIMIZERS if name != "sgd"]
RATES = [0.1, 0.05, 0.02]
MANY_OPTIONS: dict[str, dict[str, Any]] = {
    "adam": {"amsgrad": True, "weight_decay": 0.01, "decoupled_weight_decay": True},
    "nadam": {"weight_decay": 0.01},
    "adafactor": {"weight_decay": 0.01},
    "rmsprop": {"momentum": 0.9, "centered": True},
    "adagrad": {"lr_decay": 0.1, "initial_accumulator_value": 0.2},
    "asgd": {"t0": 1, "lambd": 0.1},
}


def make_network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(72, 5))


def gradients_of(network: nn.Module, step: int) -> None:
    torch.manual_seed(step)
    images, labels = torch.randn(16, 3, 5, 5), torch.randint(5, (16,))
    nn.functional.cross_entropy(network(images), labels).backward()


def weights(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def take(network: nn.Module, optimizer: Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        gradients_of(network, step)
        optimizer.step(RATES[step])


def stored(state: dict[str, Any]) -> Any:
    """As it comes back from a checkpoint."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)


@pytest.mark.parametrize("name", OF_TORCH)
def test_steps_are_torchs_to_the_bit(name: str) -> None:
    options = MANY_OPTIONS.get(name, {})
    ours, theirs = make_network(), make_network()
    optimizer = make_optimizer(ours, OPTIMIZER.parse({"name": name, **options}))
    classes = {found.lower(): found for found in vars(torch.optim)}
    reference = getattr(torch.optim, classes[name])(theirs.parameters(), **options)
    take(ours, optimizer, range(3))
    for step in range(3):
        reference.zero_grad()
        gradients_of(theirs, step)
        reference.param_groups[0]["lr"] = RATES[step]
        reference.step()
    assert all(map(torch.equal, weights(ours), weights(theirs)))
    assert not torch.equal(weights(ours)[-1], weights(make_network())[-1])


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("spared", [False, True])
def test_a_stored_state_goes_on_to_the_same_bits(name: str, spared: bool) -> None:
    options: dict[str, Any] = {"name": name, **MANY_OPTIONS.get(name, {})}
    if spared:
        if name == "rprop":
            return
        options |= {"weight_decay": 0.1, "decay_norms_and_biases": False}
    recipe = OPTIMIZER.parse(options)
    whole = make_network()
    optimizer = make_optimizer(whole, recipe)
    take(whole, optimizer, range(2))
    network = copy.deepcopy(whole)
    state = stored(optimizer.state_dict())
    take(whole, optimizer, range(2, 3))
    again = make_optimizer(network, recipe)
    assert again.takes(state)
    again.load_state_dict(state)
    take(network, again, range(2, 3))
    assert all(map(torch.equal, weights(whole), weights(network)))


def _change(key: str, to: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        state["state"][0][key] = to(state["state"][0][key])

    return change


MISFITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no state": lambda state: state.pop("state"),
    "a state that is none": lambda state: state.update(state=[1]),
    "no word on places": lambda state: state.pop("on_cpu"),
    "a place that is none": lambda state: state.update(on_cpu=[1]),
    "another shape": _change("exp_avg", lambda value: value[:1]),
    "another type": _change("exp_avg", lambda value: value.double()),
    "a number for a tensor": _change("exp_avg", lambda value: 1.0),
    "a key less": lambda state: state["state"][0].pop("exp_avg"),
    "a key more": lambda state: state["state"][0].update(more=torch.zeros(1)),
    "of no parameter": lambda state: state["state"].update({99: state["state"][0]}),
    "an entry that is none": lambda state: state["state"].update({0: None}),
}


def test_a_state_that_does_not_fit_is_seen_and_looking_changes_nothing() -> None:
    network = make_network()
    optimizer = make_optimizer(network, OPTIMIZER.parse("adamw"))
    take(network, optimizer, range(2))
    before, state = weights(network), stored(optimizer.state_dict())
    fresh = make_optimizer(network, OPTIMIZER.parse("adamw"))
    assert fresh.takes(state)
    for case, change in MISFITS.items():
        changed = copy.deepcopy(state)
        change(changed)
        assert not fresh.takes(changed), case
    assert not fresh.takes(None)
    assert not fresh.takes(make_optimizer(network, SgdConfig()).state_dict())
    assert all(map(torch.equal, weights(network), before))
    assert not fresh.state_dict()["state"]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_norms_and_biases_are_spared_where_that_is_asked_for(name: str) -> None:
    """With no gradient but zeros, decay alone changes weights."""
    network = make_network()
    options = {"name": name, "weight_decay": 0.1, "decay_norms_and_biases": False}
    optimizer = make_optimizer(network, OPTIMIZER.parse(options))
    before = dict(zip(dict(network.named_parameters()), weights(network), strict=True))
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step(0.5)
    changed = {
        key for key, value in network.named_parameters() if not torch.equal(value, before[key])
    }
    assert changed == {"0.weight", "3.weight"}
    assert {id(p) for p in norms_and_biases(network)} == {
        id(value) for key, value in network.named_parameters() if key not in changed
    }


def test_an_optimizer_that_this_torch_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(trainers_classes(), "adamw")
    with pytest.raises(TrainerError, match=rf"torch {torch.__version__[:4]}.* no optimizer adamw"):
        make_optimizer(make_network(), OPTIMIZER.parse("adamw"))


def trainers_classes() -> dict[str, Any]:
    from trainers.optim import torch_optimizer

    return torch_optimizer._CLASSES


def test_dampening_is_torchs() -> None:
    ours, theirs = make_network(), make_network()
    recipe = SgdConfig(dampening=0.25, weight_decay=0.0)
    optimizer = make_optimizer(ours, recipe)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9, dampening=0.25)
    take(ours, optimizer, range(3))
    for step in range(3):
        reference.zero_grad()
        gradients_of(theirs, step)
        reference.param_groups[0]["lr"] = RATES[step]
        reference.step()
    assert all(map(torch.equal, weights(ours), weights(theirs)))
