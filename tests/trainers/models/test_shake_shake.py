"""Shake-Shake: published counts, the two passes, what is drawn, and that runs resume."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

from small_networks import (
    assert_continued_run_is_identical,
    assert_gradients_reach_every_parameter,
    build,
    counted,
    noise,
    normed,
    scramble,
)
from trainers.config.run import RunConfig
from trainers.models.shake_shake.network import shake
from trainers.optim.compilation import CompiledNetwork
from trainers.rng import seeded_generator

Small = Callable[..., dict[str, Any]]

TINY = {"depth": 14, "width": 4}


def drawing(seed: int = 0, epoch: int = 1) -> Callable[[str], torch.Generator]:
    return lambda purpose: seeded_generator(seed, purpose, epoch)


# Gastaldi (2017): 26 2x32d, 2x64d and 2x96d.
@pytest.mark.parametrize(("width", "printed"), [(32, 2.9), (64, 11.7), (96, 26.2)])
def test_shake_shake_parameters_match_the_printed(width: int, printed: float) -> None:
    assert round(counted("shake_shake", depth=26, width=width) / 1e6, 1) == printed


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 3),
    st.sampled_from([2, 4, 6, 16]),
    st.integers(1, 3),
    st.integers(2, 12),
    st.sampled_from(["shake", "even"]),
    st.sampled_from(["shake", "even", "keep"]),
    st.sampled_from(["image", "batch"]),
)
def test_shake_shake_uses_every_parameter(
    n: int, width: int, channels: int, classes: int, forward: str, backward: str, level: str
) -> None:
    arguments: dict[str, Any] = {"depth": 6 * n + 2, "width": width, "channels": channels}
    arguments |= {"classes": classes, "forward": forward, "backward": backward, "level": level}
    network = build("shake_shake", **arguments)
    network.begin_epoch(drawing())
    network(noise(2, channels, 8, 8)).sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("images", [1, 4])
def test_shake_mixes_each_pass_by_its_own_coefficient(images: int) -> None:
    a, b = (noise(4, 2, 3, 3, seed=seed).double().requires_grad_() for seed in (1, 2))
    alpha, beta = torch.rand((2, images, 1, 1, 1), generator=torch.Generator().manual_seed(3))
    upstream = noise(4, 2, 3, 3, seed=4).double()
    mixed = shake(a, b, alpha, beta)
    mixed.backward(upstream)
    assert mixed.dtype == torch.float64
    for image in range(4):
        forward, backward = (
            float(coefficient.flatten()[image % images]) for coefficient in (alpha, beta)
        )
        expected = forward * a[image] + (1 - forward) * b[image]
        torch.testing.assert_close(mixed[image], expected, rtol=1e-6, atol=1e-6)
        for branch, coefficient in ((a, backward), (b, 1 - backward)):
            assert branch.grad is not None
            torch.testing.assert_close(
                branch.grad[image], coefficient * upstream[image], rtol=1e-6, atol=1e-6
            )


def test_keeping_the_coefficient_gives_the_true_gradient() -> None:
    coefficient = torch.rand((3, 1, 1, 1), generator=torch.Generator().manual_seed(0)).double()
    a, b = (noise(3, 1, 2, 2, seed=seed).double().requires_grad_() for seed in (1, 2))
    assert torch.autograd.gradcheck(lambda a, b: shake(a, b, coefficient, coefficient), (a, b))
    assert not torch.autograd.gradcheck(
        lambda a, b: shake(a, b, coefficient, 1 - coefficient), (a, b), raise_exception=False
    )


def branch_by_hand(branch: Any, state: Tensor, stride: int) -> Tensor:
    inner = functional.conv2d(state.relu(), branch.conv1.weight, stride=stride, padding=1)
    inner = normed(inner, branch.norm1).relu()
    return normed(functional.conv2d(inner, branch.conv2.weight, padding=1), branch.norm2)


def projected_by_hand(projection: Any, state: Tensor, stride: int) -> Tensor:
    """Pixel by pixel: (i, j) of the first half sees (si, sj), of the second (si - 1, sj - 1)."""
    state = state.relu()
    count, _, height, width = state.shape
    rows, columns = range(0, height, stride), range(0, width, stride)
    out = state.new_zeros(count, projection.norm.num_features, len(rows), len(columns))
    half = out.shape[1] // 2
    first, second = (c.weight[:, :, 0, 0].T for c in (projection.straight, projection.shifted))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            out[:, :half, i, j] = state[:, :, row, column] @ first
            if row > 0 and column > 0:
                out[:, half:, i, j] = state[:, :, row - 1, column - 1] @ second
    return normed(out, projection.norm)


@pytest.mark.parametrize("width", [4, 16])
@pytest.mark.parametrize("coefficients", [None, (0.25, 0.75)])
def test_the_shake_shake_forward_pass_is_the_formula(
    width: int, coefficients: tuple[float, float] | None
) -> None:
    network = build("shake_shake", depth=14, width=width).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 9, 8).double()
    given = (
        None if coefficients is None else tuple(torch.full((1, 1, 1, 1), c) for c in coefficients)
    )
    eta = 0.5 if coefficients is None else coefficients[0]
    with torch.no_grad():
        state = normed(functional.conv2d(images, network.stem.weight, padding=1), network.norm)
        ours = state
        for index, block in enumerate(network.blocks):
            stride = 2 if index in (2, 4) else 1
            first, second = (branch_by_hand(b, state, stride) for b in block.branches)
            projects = index in (0, 2, 4) and not (index == 0 and width == 16)
            assert isinstance(block.projection, nn.Identity) != projects
            skipped = projected_by_hand(block.projection, state, stride) if projects else state
            state = skipped + eta * first + (1 - eta) * second
            ours = block(ours, given)
            torch.testing.assert_close(ours, state, rtol=1e-10, atol=1e-10)
        weight, bias = network.classifier.weight, network.classifier.bias
        logits = state.relu().mean(dim=(2, 3)) @ weight.T + bias
        if coefficients is None:
            torch.testing.assert_close(network(images), logits, rtol=1e-10, atol=1e-10)


def mixing_of(network: Any, images: int) -> Tensor:
    """(2, blocks, images): alpha and beta of one batch."""
    network.begin_batch(images)
    alphas, betas = zip(*network.shakes(), strict=True)
    drawn = torch.stack((torch.stack(alphas), torch.stack(betas)))
    return drawn.flatten(2).expand(2, -1, images)


def network_with(**modes: Any) -> Any:
    network = build("shake_shake", **TINY, **modes)
    network.begin_epoch(drawing())
    return network


def test_each_image_and_block_has_its_own_coefficient_in_each_pass() -> None:
    network = network_with()
    alpha, beta = mixing_of(network, 500)
    drawn = torch.cat((alpha, beta))
    assert drawn.unique().numel() > 0.999 * drawn.numel()
    assert (drawn.mean(1) - 0.5).abs().max() < 4 / (12 * 500) ** 0.5
    assert (drawn.var(1) - 1 / 12).abs().max() < 0.015
    assert torch.corrcoef(drawn).triu(1).abs().max() < 0.2
    assert not torch.equal(mixing_of(network, 500)[0], alpha)


def test_at_batch_level_all_images_have_one_coefficient() -> None:
    alpha, beta = mixing_of(network_with(level="batch"), 50)
    for drawn in (alpha, beta):
        assert torch.equal(drawn, drawn[:, :1].expand(-1, 50))
        assert drawn[:, 0].unique().numel() == 6
    assert not torch.equal(alpha, beta)


def test_shake_even_and_keep_modes_act_as_named() -> None:
    half = torch.full((6, 8), 0.5)
    default = mixing_of(network_with(), 8)
    alpha, beta = mixing_of(network_with(backward="even"), 8)
    assert torch.equal(beta, half)
    # The draws of one pass are the same whatever the other does.
    assert torch.equal(alpha, default[0])
    alpha, beta = mixing_of(network_with(forward="even"), 8)
    assert torch.equal(alpha, half)
    assert torch.equal(beta, default[1])
    alpha, beta = mixing_of(network_with(backward="keep"), 8)
    assert torch.equal(alpha, default[0])
    assert torch.equal(beta, alpha)
    assert torch.equal(mixing_of(network_with(forward="even", backward="even"), 8)[0], half)


def test_shake_coefficients_depend_only_on_seed_and_epoch() -> None:
    def drawn(seed: int, epoch: int) -> Tensor:
        network = build("shake_shake", **TINY)
        network.begin_epoch(drawing(seed, epoch))
        return mixing_of(network, 8)

    assert torch.equal(drawn(0, 1), drawn(0, 1))
    assert not torch.equal(drawn(0, 1), drawn(1, 1))
    assert not torch.equal(drawn(0, 1), drawn(0, 2))


def test_shake_shake_is_off_in_evaluation() -> None:
    images = noise(4, 3, 8, 8)
    shaking = network_with()
    assert not torch.equal(shaking(images), shaking(images))
    shaking.eval()
    with torch.no_grad():
        assert torch.equal(shaking(images), shaking(images))
    even = network_with(forward="even", backward="even")
    before_any_epoch = build("shake_shake", **TINY)
    assert torch.equal(even(images), before_any_epoch(images))


def test_shake_shake_gradients_reach_every_parameter() -> None:
    assert_gradients_reach_every_parameter(network_with())


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 13)])
def test_every_shake_shake_state_has_the_shape_of_its_stage(height: int, width: int) -> None:
    network = network_with().eval()
    images = noise(2, 3, height, width)
    shapes = [tuple(state.shape) for state in network.states(images)]
    expected = [(2, 16, height, width)]
    for stage in range(3):
        expected += [(2, 4 * 2**stage, -(-height // 2**stage), -(-width // 2**stage))] * 2
    assert shapes == expected
    assert network(images).shape == (2, 10)


def test_shake_shake_runs_in_bf16_and_channels_last() -> None:
    network = network_with().to(memory_format=torch.channels_last)
    images = noise(4, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        *_, last = network.states(images)
        logits = network(images)
    assert last.dtype == logits.dtype == torch.bfloat16
    logits.float().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.filterwarnings("ignore")  # torch's compiler warns of its own deprecated parts
@pytest.mark.slow
@pytest.mark.long
def test_compiled_training_draws_the_same_shake_coefficients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_c = partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr("trainers.optim.compilation._compiler", lambda: without_c)
    plain, network = (build("shake_shake", depth=8, width=2) for _ in range(2))
    compiled = CompiledNetwork(network, training_batch=4, evaluation_batch=6)
    for each in (plain, network):
        each.begin_epoch(drawing())
    # The third batch is no whole one, and goes through no graph.
    for seed, count in enumerate((4, 4, 3, 4)):
        images = noise(count, 3, 8, 8, seed=seed)
        one, other = plain(images), compiled(images)
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        for logits in (one, other):
            logits.square().mean().backward()
        for mine, its in zip(plain.parameters(), network.parameters(), strict=True):
            assert mine.grad is not None
            torch.testing.assert_close(mine.grad, its.grad, rtol=1e-3, atol=1e-5)
        plain.zero_grad()
        network.zero_grad()


@pytest.mark.parametrize("modes", [{}, {"backward": "even", "level": "batch"}], ids=str)
def test_a_continued_shake_shake_run_is_bit_identical(
    small: Small, tmp_path: Path, modes: dict[str, Any]
) -> None:
    config = small(
        model={"name": "shake_shake", "depth": 8, "width": 4, **modes},
        training={"epochs": 2, "batch_size": 64},
        seed=2,
    )
    result = assert_continued_run_is_identical(config, tmp_path)
    assert not result["diverged"]
    assert result["learned_coefficients"] is None
    assert result["parameters"] == RunConfig.model_validate(config).parameters


def config(scheme: Any = None, **options: Any) -> RunConfig:
    model = {"name": "shake_shake", "depth": 26, **options}
    return RunConfig.model_validate(
        {"model": model, "scheme": scheme, "dataset": "cifar10", "seed": 0}
    )


def test_shake_options_without_effect_have_one_run_id() -> None:
    even = [
        config(forward="even", backward=backward, level=level).run_id
        for backward in ("even", "keep")
        for level in ("image", "batch")
    ]
    assert len(set(even)) == 1
    others = [
        config(forward=forward, backward=backward, level=level).run_id
        for forward, backward in (
            ("shake", "shake"), ("shake", "even"), ("shake", "keep"), ("even", "shake")
        )
        for level in ("image", "batch")
    ]  # fmt: skip
    assert len({*others, *even}) == 9
    default = config(width=32, forward="shake", backward="shake", level="image")
    assert default.run_id == config().run_id


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"depth": 27}, "depth 27 is not 6n [+] 2 .* are 26 and 32"),
        ({"width": 33}, "width 33 is odd, .* are 32 and 34"),
        ({"width": 0}, "width"),
        ({"forward": "keep"}, "forward"),
        ({"level": "pixel"}, "level"),
        ({"branches": 3}, "branches"),
        ({"scheme": {"alpha": 1}}, "shake_shake is no linear multistep method: remove scheme"),
    ],
)
def test_invalid_shake_shake_options_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        config(**options)
