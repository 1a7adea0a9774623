"""Networks by name, as planning counts them and as they are built, and what holds for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainers.errors import TrainingStopped
from trainers.methods.scheme_config import SchemeConfig
from trainers.models import MODELS, Architecture, ModelOptions
from trainers.models.counting import count
from trainers.run import run
from trainers.storage import open_folder

NO_DATA = Path("/nonexistent")  # the digits need no folder
TIMES = {"seconds", "train_seconds", "images_per_second", "provenance", "attempt"}


def resolved(
    name: str, scheme: dict[str, Any] | None, options: dict[str, Any]
) -> tuple[Architecture, ModelOptions, SchemeConfig | None]:
    architecture = MODELS[name]
    given = architecture.default_scheme if scheme is None else scheme
    config = None if given is None else SchemeConfig.model_validate(given)
    validated = architecture.options.model_validate({"name": name, **options})
    return architecture, architecture.complete(validated, config), config


def completed(name: str, **options: Any) -> Any:
    """Options of a network without a scheme, as a run's config has them."""
    return resolved(name, None, options)[1]


def build(
    name: str,
    scheme: dict[str, Any] | None = None,
    *,
    channels: int = 3,
    classes: int = 10,
    seed: int = 0,
    **options: Any,
) -> Any:
    architecture, completed, config = resolved(name, scheme, options)
    return architecture.build(
        completed,
        config,
        channels=channels,
        classes=classes,
        generator=torch.Generator().manual_seed(seed),
    )


def counted(
    name: str,
    scheme: dict[str, Any] | None = None,
    *,
    channels: int = 3,
    classes: int = 10,
    **options: Any,
) -> int:
    """Parameters, as planning has them."""
    architecture, completed, config = resolved(name, scheme, options)
    return count(
        architecture, completed, config, channels=channels, classes=classes, size=32
    ).parameters


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def multiply_adds_of_convolutions(network: nn.Module, images: Tensor) -> int:
    """Counted while images pass, for one of them."""
    total = 0

    def note(module: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += module.weight.numel() * output.shape[2] * output.shape[3]

    hooks = [
        module.register_forward_hook(note)
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    with torch.no_grad():
        network.eval()(images)
    for hook in hooks:
        hook.remove()
    return total


def scramble(network: nn.Module, seed: int = 3) -> None:
    """Norms with arbitrary weights and statistics, so that none of them is the identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                if not module.affine:
                    continue
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(generator=generator)


def normed(x: Tensor, norm: Any) -> Tensor:
    """Batch normalisation in evaluation, from its definition."""
    scale = norm.weight / (norm.running_var + 1e-5).sqrt()
    shifted = x - norm.running_mean[:, None, None]
    out: Tensor = shifted * scale[:, None, None] + norm.bias[:, None, None]
    return out


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_gradients_reach_every_parameter(network: nn.Module, size: int = 8) -> None:
    images, labels = noise(8, 3, size, size), torch.arange(8)
    loss = functional.cross_entropy(network.train()(images), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    assert_every_parameter_has_a_gradient(network)


def assert_every_parameter_has_a_gradient(network: nn.Module) -> None:
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def numbers(result: Any) -> Any:
    """A result without its times, which alone may differ."""
    if isinstance(result, dict):
        return {key: numbers(value) for key, value in result.items() if key not in TIMES}
    if isinstance(result, list):
        return [numbers(value) for value in result]
    return result


def assert_continued_run_is_identical(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A run of two epochs, uninterrupted and continued after the first; the result."""

    def stop(metrics: Any) -> None:
        raise TrainingStopped

    whole = run(config, data_dir=NO_DATA)
    assert len(whole["epochs"]) == 2
    first, second = open_folder(folder / "1"), open_folder(folder / "2")
    with pytest.raises(TrainingStopped):
        run(config, data_dir=NO_DATA, folder=first, on_epoch=stop)
    continued = run(config, data_dir=NO_DATA, folder=second, earlier=[first])
    assert continued["provenance"]["first_epoch"] == 2
    assert numbers(continued) == numbers(whole)
    return dict(whole)
