"""Networks that follow no multistep scheme: built, counted and trained by tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainers.errors import TrainingStopped
from trainers.models import MODELS, ModelOptions
from trainers.models.counting import count
from trainers.run import run
from trainers.storage import Folder, open_folder

NO_DATA = Path("/nonexistent")  # the digits need no folder
TIMES = {"seconds", "train_seconds", "images_per_second", "provenance", "attempt"}


def completed(name: str, **options: Any) -> ModelOptions:
    """Options as a run's config has them."""
    architecture = MODELS[name]
    given = architecture.options.model_validate({"name": name, **options})
    return architecture.complete(given, None)


def build(name: str, *, channels: int = 3, classes: int = 10, seed: int = 0, **options: Any) -> Any:
    return MODELS[name].build(
        completed(name, **options),
        None,
        channels=channels,
        classes=classes,
        generator=torch.Generator().manual_seed(seed),
    )


def counted(name: str, *, channels: int = 3, classes: int = 10, **options: Any) -> int:
    """Parameters, as planning has them."""
    chosen = completed(name, **options)
    return count(MODELS[name], chosen, None, channels=channels, classes=classes, size=32).parameters


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def scramble(network: nn.Module, seed: int = 3) -> None:
    """Norms with arbitrary weights and statistics, so that none of them is the identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            kind = name.split(".")[-1]
            if kind in ("running_mean", "mean") or ("norm" in name and kind == "bias"):
                tensor.normal_(generator=generator)
            elif kind in ("running_var", "variance") or ("norm" in name and kind == "weight"):
                tensor.uniform_(0.5, 2, generator=generator)


def normed(state: Tensor, norm: Any) -> Tensor:
    """A norm in evaluation mode, from its formula."""
    return scaled(state, norm, norm.running_mean, norm.running_var)


def scaled(state: Tensor, norm: Any, mean: Tensor, variance: Tensor) -> Tensor:
    def over_channels(vector: Tensor) -> Tensor:
        return vector[:, None, None]

    unit = (state - over_channels(mean)) / over_channels((variance + 1e-5).sqrt())
    return unit * over_channels(norm.weight) + over_channels(norm.bias)


def gradients(network: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    for parameter in network.parameters():
        parameter.grad = None
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def numbers(result: Any) -> Any:
    """A result without its times, which alone may differ."""
    if isinstance(result, dict):
        return {key: numbers(value) for key, value in result.items() if key not in TIMES}
    if isinstance(result, list):
        return [numbers(value) for value in result]
    return result


def trained(config: dict[str, Any]) -> dict[str, Any]:
    return run(config, [], data_dir=NO_DATA)


def interrupted(config: dict[str, Any], root: Path, stops: Sequence[int]) -> dict[str, Any]:
    """Attempt 1 stops after the first of `stops`, attempt 2 after the next; the last goes on."""
    runs = open_folder(root)
    folders: list[Folder] = []
    for attempt, epoch in enumerate(stops, start=1):
        folder = runs.child(str(attempt))

        def stop(metrics: Any, at: int = epoch) -> None:
            if metrics["epoch"] == at:
                raise TrainingStopped

        with pytest.raises(TrainingStopped):
            run(config, [], data_dir=NO_DATA, folder=folder, earlier=folders, on_epoch=stop)
        folders.append(folder)
    return run(config, [], data_dir=NO_DATA, folder=runs.child("last"), earlier=folders)
