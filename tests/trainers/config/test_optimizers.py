"""Optimizers by name: what torch has, with the options that it has, known without it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from trainers.config.optimizers import (
    _NOT_OFFERED,
    _UNFIT,
    OPTIMIZER,
    OPTIMIZERS,
    SgdConfig,
)
from trainers.errors import ConfigError

TORCHS: dict[str, Any] = {
    name.lower(): found
    for name, found in vars(torch.optim).items()
    if isinstance(found, type) and found is not torch.optim.Optimizer
}


def torchs_options(name: str) -> dict[str, Any]:
    """Options of torch's class and their defaults, without those that no spec can set."""
    signature = inspect.signature(TORCHS[name].__init__).parameters
    refused = {"self", "params", *_NOT_OFFERED}
    return {key: found.default for key, found in signature.items() if key not in refused}


def test_every_optimizer_of_torch_is_offered_or_refused_in_words() -> None:
    assert set(TORCHS) == set(OPTIMIZERS) | set(_UNFIT)
    for name in _UNFIT:
        with pytest.raises(ConfigError, match=f"{name}' (evaluates|takes) .*known: adadelta"):
            OPTIMIZER.class_of({"name": name})


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "sgd"])
def test_options_and_defaults_are_torchs(name: str) -> None:
    ours = OPTIMIZER.parse(name).model_dump(exclude={"name", "decay_norms_and_biases"})
    assert ours == torchs_options(name)


def test_our_sgd_has_the_options_of_torchs_and_the_defaults_of_the_papers() -> None:
    ours = SgdConfig().model_dump(exclude={"name", "decay_norms_and_biases"})
    assert set(ours) == set(torchs_options("sgd"))
    assert (ours["lr"], ours["momentum"], ours["weight_decay"]) == (0.1, 0.9, 1e-4)


@pytest.mark.parametrize("key", ["foreach", "fused", "capturable", "differentiable", "maximize"])
def test_what_is_not_offered_is_refused_in_words_by_every_optimizer(key: str) -> None:
    for name in OPTIMIZERS:
        with pytest.raises(ValidationError, match=f"{key} .*; remove it"):
            OPTIMIZER.parse({"name": name, key: True})


def test_sparing_norms_from_no_decay_is_no_option_of_its_own() -> None:
    spared = {"decay_norms_and_biases": False}
    assert OPTIMIZER.parse({"name": "adam", **spared}) == OPTIMIZER.parse("adam")
    assert OPTIMIZER.parse({"name": "adamw", **spared}) != OPTIMIZER.parse("adamw")
    with pytest.raises(ValidationError, match="decay_norms_and_biases"):
        OPTIMIZER.parse({"name": "rprop", **spared})


def test_optimizers_are_known_without_torch() -> None:
    code = (
        "import sys; from trainers.config.optimizers import *;"
        "[OPTIMIZER.parse(name) for name in OPTIMIZERS]; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
