"""PolyNet: its polynomials, and the backward Euler step that they begin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from schemeless import normed, scaled, scramble
from small_networks import (
    assert_continued_run_is_identical,
    assert_gradients_reach_every_parameter,
    build,
    completed,
    counted,
    noise,
    parameters,
)
from trainers.config.run import RunConfig
from trainers.models import MODELS
from trainers.models.multistep.network import ResidualFunction
from trainers.models.polynet.network import PolynomialBlock

Small = Callable[..., dict[str, Any]]

KINDS = ("poly-2", "mpoly-2", "2-way")


def preresnet(seed: int = 0, **options: Any) -> Any:
    architecture = MODELS["preresnet"]
    config = RunConfig.model_validate(
        {
            "model": {"name": "preresnet", **options},
            "dataset": {"name": "cifar10"},
            "seed": 0,
        }
    )
    return architecture.build(
        config.model,
        config.scheme,
        channels=3,
        classes=10,
        generator=torch.Generator().manual_seed(seed),
    )


# Of preresnet; that of 20 layers was counted by running the released code of ZeroSNet's authors.
@pytest.mark.parametrize(("depth", "count"), [(20, 272_282), (8, 77_850), (56, 855_578)])
def test_poly_2_has_the_parameters_of_preresnet(depth: int, count: int) -> None:
    assert counted("polynet", depth=depth) == count
    assert parameters(build("polynet", depth=depth)) == count
    assert parameters(preresnet(depth=depth)) == count


@pytest.mark.parametrize("kind", ["mpoly-2", "2-way"])
def test_the_other_polynets_have_a_second_function_in_all_but_two_blocks(kind: str) -> None:
    functions = sum(2 * (2 * width) + 2 * 9 * width**2 for width in (16, 16, 16, 32, 32, 64, 64))
    assert counted("polynet", depth=20, block=kind) == 272_282 + functions


def residual(function: Any, state: Tensor, stride: int = 1) -> Tensor:
    inner = functional.conv2d(
        normed(state, function.norm1).relu(), function.conv1.weight, stride=stride, padding=1
    )
    return functional.conv2d(normed(inner, function.norm2).relu(), function.conv2.weight, padding=1)


def second_application(block: Any, state: Tensor) -> Tensor:
    f, own = block.function, block.again
    before = own.statistics1, own.statistics2
    first = scaled(state, f.norm1, before[0].mean, before[0].variance).relu()
    inner = functional.conv2d(first, f.conv1.weight, padding=1)
    second = scaled(inner, f.norm2, before[1].mean, before[1].variance).relu()
    return functional.conv2d(second, f.conv2.weight, padding=1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_polynet_forward_pass_is_its_polynomial(kind: str) -> None:
    network = build("polynet", depth=14, width=3, block=kind).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 9, 8).double()
    with torch.no_grad():
        state = functional.conv2d(images, network.stem.weight, padding=1)
        expected = [state]
        for index, block in enumerate(network.blocks):
            if index in (2, 4):
                shortcut = functional.conv2d(state, block.projection.weight, stride=2)
                state = shortcut + residual(block.function, state, stride=2)
            else:
                first = residual(block.function, state)
                if kind == "poly-2":
                    second = second_application(block, first)
                else:
                    second = residual(block.other, first if kind == "mpoly-2" else state)
                state = state + first + second
            expected.append(state)
        features = normed(state, network.norm).relu().mean(dim=(2, 3))
        logits = features @ network.classifier.weight.T + network.classifier.bias
        torch.testing.assert_close(network(images), logits, rtol=1e-10, atol=1e-10)
        for found, stated in zip(network.states(images), expected, strict=True):
            torch.testing.assert_close(found, stated, rtol=1e-10, atol=1e-10)


def as_identities(network: nn.Module) -> None:
    """Norms that change nothing, in evaluation mode."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0


def linear_block(width: int, scale: float) -> Any:
    """A block whose F is linear on states that are nowhere negative."""
    block = PolynomialBlock(width, "poly-2").double().eval()
    as_identities(block)
    with torch.no_grad():
        for conv in (block.function.conv1, block.function.conv2):
            weight = noise(*conv.weight.shape, seed=int(1e6 * scale)).abs()
            conv.weight.copy_(scale * weight)
    return block


def test_polynet_of_a_linear_function_is_backward_eulers_neumann_series() -> None:
    width, size = 2, 3
    block = linear_block(width, 0.03)
    pixels = width * size**2
    with torch.no_grad():
        units = torch.eye(pixels, dtype=torch.float64).reshape(pixels, width, size, size)
        # F in the basis of single pixels, column by column.
        matrix = block.function(units).reshape(pixels, pixels).T
        state = noise(1, width, size, size).double().abs()
        vector = state.flatten()
        found = block(state).flatten()
    identity = torch.eye(pixels, dtype=torch.float64)
    assert 0.05 < torch.linalg.matrix_norm(matrix, 2) < 0.9
    torch.testing.assert_close(found, (identity + matrix + matrix @ matrix) @ vector)
    # What is left of (I - F)^{-1} y is its terms from the third on.
    exact = torch.linalg.solve(identity - matrix, vector)
    rest = torch.linalg.matrix_power(matrix, 3) @ exact
    torch.testing.assert_close(exact - found, rest, rtol=1e-9, atol=1e-12)


def test_a_polynet_block_differs_from_backward_euler_at_third_order() -> None:
    """Halving the last weights halves F, and so the step."""
    errors = []
    for halvings in range(3):
        block = linear_block(2, 0.02)
        with torch.no_grad():
            block.function.conv2.weight.mul_(0.5**halvings)
            units = torch.eye(18, dtype=torch.float64).reshape(18, 2, 3, 3)
            matrix = block.function(units).reshape(18, 18).T
            state = torch.ones(1, 2, 3, 3, dtype=torch.float64)
            exact = torch.linalg.solve(torch.eye(18).double() - matrix, state.flatten())
            errors.append((exact - block(state).flatten()).norm().item())
    assert errors[0] / errors[1] == pytest.approx(8, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(8, rel=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_a_polynet_block_with_zero_function_is_the_identity(kind: Any) -> None:
    block = PolynomialBlock(3, kind)
    for module in block.modules():
        if isinstance(module, ResidualFunction):
            nn.init.zeros_(module.conv2.weight)
    state = noise(2, 3, 8, 8)
    assert torch.equal(block(state), state)


def test_polynet_without_second_order_terms_is_preresnet() -> None:
    network: Any = build("polynet", depth=14, width=3, block="2-way").double()
    plain = preresnet(depth=14, width=3).double()
    plain.stem.load_state_dict(network.stem.state_dict())
    for block, other in zip(network.blocks, plain.blocks, strict=True):
        other.function.load_state_dict(block.function.state_dict())
        if isinstance(block, PolynomialBlock):
            nn.init.zeros_(block.other.conv2.weight)
        else:
            other.projections[0].load_state_dict(block.projection.state_dict())
    plain.norm.load_state_dict(network.norm.state_dict())
    plain.classifier.load_state_dict(network.classifier.state_dict())
    images = noise(4, 3, 8, 8).double()
    torch.testing.assert_close(network(images), plain(images), rtol=1e-12, atol=1e-12)


def test_poly_2_starts_from_the_weights_of_preresnet() -> None:
    ours, theirs = build("polynet", depth=14, seed=7), preresnet(depth=14, seed=7)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)


def test_each_function_application_has_its_own_running_statistics() -> None:
    block: Any = PolynomialBlock(3, "poly-2").double()
    state = noise(8, 3, 8, 8).double() + 5
    with torch.no_grad():
        first = block.function(state)
        block.function.norm1.reset_running_stats()
        block(state)
    for mean, seen in (
        (block.function.norm1.running_mean, state),
        (block.again.statistics1.mean, first),
    ):
        torch.testing.assert_close(mean, 0.1 * seen.mean(dim=(0, 2, 3)), rtol=1e-6, atol=1e-9)
    before = block.again.statistics1.mean.clone()
    block.eval()(state)
    assert torch.equal(block.again.statistics1.mean, before)


@pytest.mark.parametrize("kind", KINDS)
def test_polynet_gradients_reach_every_parameter(kind: str) -> None:
    network = build("polynet", depth=8, width=3, block=kind)
    assert_gradients_reach_every_parameter(network)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (3, 9, 13)])
def test_polynet_states_have_the_width_and_resolution_of_their_stage(
    shape: tuple[int, int, int],
) -> None:
    network = build("polynet", depth=14, width=2, channels=shape[0])
    images = noise(2, *shape)
    sizes = [
        shape[1:],
        [-(-side // 2) for side in shape[1:]],
        [-(-side // 4) for side in shape[1:]],
    ]
    expected = [(2, 2, *sizes[0])] * 3 + [(2, 4, *sizes[1])] * 2 + [(2, 8, *sizes[2])] * 2
    assert [tuple(state.shape) for state in network.states(images)] == expected
    assert len(network.blocks) == len(expected) - 1
    assert network(images).shape == (2, 10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_continued_polynet_run_is_bit_identical(small: Small, tmp_path: Path, kind: str) -> None:
    config = small(
        model={"name": "polynet", "depth": 8, "width": 4, "block": kind},
        training={"epochs": 2, "batch_size": 64},
        precision="bf16" if kind == "poly-2" else "fp32",
    )
    whole = assert_continued_run_is_identical(config, tmp_path)
    assert not whole["diverged"]
    assert whole["epochs"][1]["train_loss"] < whole["epochs"][0]["train_loss"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"depth": 10}, "depth 10 is not 6n [+] 2 .* nearest are 8 and 14"),
        ({"block": "poly-3"}, "'poly-2', 'mpoly-2' or '2-way'"),
        ({"width": 0}, "greater than or equal to 1"),
        ({"width": True}, "valid integer"),
        ({"steps": 2}, "Extra inputs are not permitted"),
    ],
)
def test_invalid_polynet_options_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        completed("polynet", **{"depth": 8, **changes})


def test_polynet_refuses_a_scheme(small: Small) -> None:
    config = small(model={"name": "polynet", "depth": 8}, scheme={"alpha": 1})
    with pytest.raises(ValueError, match="polynet is no linear multistep method: remove scheme"):
        RunConfig.model_validate(config)
