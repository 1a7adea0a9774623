"""ResNeXt and LM-ResNeXt: published counts, the recurrence, and the original form."""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor
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
from trainers.models.coefficients import learned_coefficients

Small = Callable[..., dict[str, Any]]

TINY = {"depth": 20, "cardinality": 3, "base_width": 2, "width": 2}


def millions(count: int) -> float:
    """As the tables print it: cut off, not rounded."""
    return floor(count / 1e5) / 10


# Xie et al. (2017), Table 7, whose counts are those for CIFAR-10's classes; Lu et al. (2018),
# Table 2, for CIFAR-100.
@pytest.mark.parametrize(
    ("name", "options", "classes", "printed"),
    [
        ("resnext", {"cardinality": 8}, 10, 34.4),
        ("resnext", {"cardinality": 16}, 10, 68.1),
        ("resnext", {"cardinality": 16, "preactivation": True}, 10, 68.1),
        ("lm_resnext", {"cardinality": 8}, 100, 35.1),
        ("lm_resnext", {"cardinality": 16}, 100, 68.8),
    ],
)
def test_resnext_parameters_match_the_printed(
    name: str, options: dict[str, Any], classes: int, printed: float
) -> None:
    assert millions(counted(name, depth=29, classes=classes, **options)) == printed


def test_lm_resnexts_extra_parameters_are_second_state_projections() -> None:
    plain = counted("resnext", depth=29, preactivation=True)
    restarting = counted("lm_resnext", depth=29, stage_change="restart")
    projecting = counted("lm_resnext", depth=29)
    assert projecting - plain == 256 * 512 + 512 * 1024 + 8  # and eight k_n
    # A norm before each of three projections, and six k_n, are too few for the printed 0.7 M.
    assert restarting - plain == 2 * (64 + 256 + 512) + 6
    assert millions(counted("lm_resnext", depth=29, stage_change="restart", classes=100)) < 35.1


small_widths = {
    "cardinality": st.integers(1, 4),
    "base_width": st.integers(1, 3),
    "width": st.integers(1, 4),
}


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `build` for any valid combination of options up to depth 29."""
    sizes = draw(st.fixed_dictionaries(small_widths))
    classes = draw(st.integers(2, 12))
    if draw(st.booleans()):
        depth = draw(st.sampled_from([11, 20]))
        return {"name": "resnext", "depth": depth, "classes": classes, **sizes}
    scheme, steps = draw(
        st.sampled_from(
            [
                ({"alpha": 0.9}, 1),
                ({"k": -0.5}, 2),
                ({"k": [-0.1, 0], "trainable": True}, 2),
                ({"lambda": 1, "trainable": True}, 3),
                ({"alpha": [0.5, 0.25, 0.25], "beta": 1, "trainable": True}, 3),
            ]
        )
    )
    return {
        "name": "lm_resnext",
        "scheme": scheme,
        "depth": 29,
        "start_blocks": draw(st.integers(steps - 1, 2)),
        "stage_change": draw(st.sampled_from(["project", "restart"])),
        "classes": classes,
        **sizes,
    }


@settings(max_examples=25, deadline=None)
@given(networks())
def test_resnexts_use_every_parameter(arguments: dict[str, Any]) -> None:
    network = build(**arguments)
    network(noise(2, 3, 8, 8)).sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def paths(function: Any, state: Tensor, stride: int, *, preactivation: bool) -> Tensor:
    """The sum of the C transformations, each by itself (Xie et al., eq. 2)."""
    cardinality = function.conv2.groups
    d = function.conv2.weight.shape[1]
    if preactivation:
        state = normed(state, function.norm1).relu()
    out = None
    for path in range(cardinality):
        mine = slice(path * d, (path + 1) * d)
        inner = functional.conv2d(state, function.conv1.weight[mine])
        first, second = (
            (function.norm2, function.norm3) if preactivation else (function.norm1, function.norm2)
        )
        inner = normed(inner, Part(first, mine)).relu()
        inner = functional.conv2d(inner, function.conv2.weight[mine], stride=stride, padding=1)
        inner = normed(inner, Part(second, mine)).relu()
        transformed = functional.conv2d(inner, function.conv3.weight[:, mine])
        out = transformed if out is None else out + transformed
    assert out is not None
    return out if preactivation else normed(out, function.norm3)


class Part:
    """Some channels of a norm."""

    def __init__(self, norm: Any, channels: slice) -> None:
        for name in ("weight", "bias", "running_mean", "running_var"):
            setattr(self, name, getattr(norm, name)[channels])


def recurrence(
    network: Any, alpha: list[float], beta: float, images: Tensor, *, restart: bool
) -> Tensor:
    """Logits of a pre-activation network by the scheme's formula, with every state kept."""
    n = len(network.blocks) // 3
    states = [functional.conv2d(images, network.stem.weight, padding=1)]
    since_start = 0
    for index, block in enumerate(network.blocks):
        stride = 2 if index in (n, 2 * n) else 1
        slope = paths(block.function, states[-1], stride, preactivation=True)
        if restart and index % n == 0:
            norm, _, convolution = block.projections[0]
            crossing = normed(states[-1], norm).relu()
            states = [functional.conv2d(crossing, convolution.weight, stride=stride)]
            since_start = 0
        elif index % n == 0:
            states = [
                functional.conv2d(states[-1 - j], convolution.weight, stride=stride)
                for j, convolution in enumerate(block.projections)
            ][::-1]
        if since_start < len(alpha) - 1:
            new = states[-1] + slope
        else:
            new = beta * slope
            for j, weight in enumerate(alpha):
                new = new + weight * states[-1 - j]
        states.append(new)
        since_start += 1
    pooled = normed(states[-1], network.norm).relu().mean(dim=(2, 3))
    return pooled @ network.classifier.weight.T + network.classifier.bias


@pytest.mark.parametrize("stage_change", ["project", "restart"])
@pytest.mark.parametrize(
    ("scheme", "alpha", "beta"),
    [
        ({"alpha": 0.875, "beta": 1.25}, [0.875], 1.25),
        ({"k": [0.25, 0.25], "trainable": True}, [0.75, 0.25], 1.0),
        ({"alpha": [0.75, -0.5, 0.625], "beta": 1.125}, [0.75, -0.5, 0.625], 1.125),
    ],
    ids=["one step", "learned k", "three steps"],
)
def test_the_resnext_forward_pass_is_the_recurrence(
    scheme: dict[str, Any], alpha: list[float], beta: float, stage_change: str
) -> None:
    options = {**TINY, "depth": 29, "stage_change": stage_change}
    network = build("lm_resnext", scheme, **options).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 8, 8).double()
    with torch.no_grad():
        expected = recurrence(network, alpha, beta, images, restart=stage_change == "restart")
        torch.testing.assert_close(network(images), expected, rtol=1e-10, atol=1e-10)


def test_resnext_has_relu_after_the_addition() -> None:
    network = build("resnext", **TINY).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 8, 8).double()
    with torch.no_grad():
        state = normed(functional.conv2d(images, network.stem.weight, padding=1), network.norm)
        state = state.relu()
        for index, block in enumerate(network.blocks):
            stride = 2 if index in (2, 4) else 1
            slope = paths(block.function, state, stride, preactivation=False)
            for convolution, norm in block.projections:
                state = normed(functional.conv2d(state, convolution.weight, stride=stride), norm)
            state = (state + slope).relu()
        weight, bias = network.classifier.weight, network.classifier.bias
        expected = state.mean(dim=(2, 3)) @ weight.T + bias
        torch.testing.assert_close(network(images), expected, rtol=1e-10, atol=1e-10)
    assert [len(block.projections) for block in network.blocks] == [1, 0, 1, 0, 1, 0]


def test_lm_resnext_with_k_zero_is_resnext() -> None:
    scheme = {"k": [0, 0], "trainable": True}
    stepping = build("lm_resnext", scheme, **TINY, stage_change="restart")
    plain = build("resnext", **TINY, preactivation=True, stage_change="restart")
    scramble(stepping)
    left = plain.load_state_dict(stepping.state_dict(), strict=False)
    assert left.missing_keys == []
    assert all(key.endswith("coefficients.k") for key in left.unexpected_keys)
    assert len(left.unexpected_keys) == 3
    images = noise(4, 3, 8, 8)
    assert torch.equal(stepping(images), plain(images))


def test_lm_resnext_draws_k_between_minus_0_1_and_0() -> None:
    coefficients = learned_coefficients(build("lm_resnext", **{**TINY, "depth": 29}))
    ks = [k for _, k, _ in coefficients]
    assert len(set(ks)) == 8
    assert all(-0.1 <= k <= 0 for k in ks)
    assert max(ks) - min(ks) > 0.03
    assert [beta for _, _, beta in coefficients] == [1] * 8
    assert learned_coefficients(build("resnext", **TINY)) is None


def test_resnext_initial_weight_variance_counts_all_outputs() -> None:
    network = build("resnext", depth=11, cardinality=4, base_width=16, width=32)
    function = network.blocks[-1].function
    for conv, fan_out in (
        (function.conv1, 256),
        (function.conv2, 256 * 9),
        (function.conv3, 512),
    ):
        assert conv.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.03)


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("resnext", None),
        ("lm_resnext", None),
        ("lm_resnext", {"lambda": 1, "trainable": True}),
    ],
)
def test_resnext_gradients_reach_every_parameter(name: str, scheme: dict[str, Any] | None) -> None:
    assert_gradients_reach_every_parameter(build(name, scheme, **TINY))


@pytest.mark.parametrize("name", ["resnext", "lm_resnext"])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 13)])
def test_every_resnext_state_has_the_shape_of_its_stage(name: str, height: int, width: int) -> None:
    network = build(name, **TINY).eval()
    images = noise(2, 3, height, width)
    shapes = [tuple(state.shape) for state in network.states(images)]
    expected = [(2, 2, height, width)]
    for stage in range(3):
        expected += [(2, 8 * 2**stage, -(-height // 2**stage), -(-width // 2**stage))] * 2
    assert shapes == expected
    assert network(images).shape == (2, 10)


@pytest.mark.parametrize("name", ["resnext", "lm_resnext"])
def test_resnext_runs_in_bf16_and_channels_last(name: str) -> None:
    network = build(name, **TINY).to(memory_format=torch.channels_last)
    images = noise(4, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(images)
    assert logits.dtype == torch.bfloat16
    logits.float().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("name", ["resnext", "lm_resnext"])
def test_a_continued_resnext_run_is_bit_identical(small: Small, tmp_path: Path, name: str) -> None:
    config = small(model={"name": name, **TINY}, training={"epochs": 2, "batch_size": 64}, seed=3)
    result = assert_continued_run_is_identical(config, tmp_path)
    assert not result["diverged"]
    assert result["parameters"] == RunConfig.model_validate(config).parameters
    assert (result["learned_coefficients"] is not None) == (name == "lm_resnext")


def config(**changes: Any) -> RunConfig:
    return RunConfig.model_validate({"dataset": "cifar10", "seed": 0, **changes})


@pytest.mark.parametrize(
    ("model", "scheme", "complaint"),
    [
        ({"name": "resnext", "depth": 32}, None, "depth 32 is not 9n [+] 2 .* are 29 and 38"),
        ({"name": "resnext", "depth": 2}, None, "nearest are 11 and 20"),
        ({"name": "resnext", "depth": 29, "cardinality": 0}, None, "cardinality"),
        ({"name": "resnext", "depth": 29, "groups": 8}, None, "groups"),
        (
            {"name": "resnext", "depth": 29},
            {"k": -0.5},
            "preactivation false .* 1.5, -0.5; 0 needs preactivation true",
        ),
        ({"name": "resnext", "depth": 29}, {"alpha": 1, "trainable": True}, "preactivation true"),
        ({"name": "lm_resnext", "depth": 29, "preactivation": False}, None, "preactivation true"),
        (
            {"name": "resnext", "depth": 29, "stage_change": "restart"},
            None,
            "stage_change 'restart' .* choose 'project'",
        ),
        (
            {"name": "lm_resnext", "depth": 11, "stage_change": "restart"},
            None,
            "each stage 1 blocks.* choose depth 20 or more",
        ),
        (
            {"name": "lm_resnext", "depth": 29, "start_blocks": 0},
            None,
            "start_blocks 0 is too few",
        ),
    ],
)
def test_invalid_resnext_options_are_refused(
    model: dict[str, Any], scheme: dict[str, Any] | None, complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        config(model=model, scheme=scheme)


def test_equivalent_resnext_options_have_one_run_id() -> None:
    plain = config(model={"name": "resnext", "depth": 29})
    written_out = {"cardinality": 8, "base_width": 64, "width": 64, "preactivation": False}
    assert config(model={"name": "resnext", "depth": 29, **written_out}).run_id == plain.run_id
    # Euler steps before Euler steps are no others.
    assert config(model={"name": "resnext", "depth": 29, "start_blocks": 2}).run_id == plain.run_id
    others = [{"cardinality": 16}, {"base_width": 32}, {"preactivation": True}]
    ids = {config(model={"name": "resnext", "depth": 29, **other}).run_id for other in others}
    assert len(ids | {plain.run_id}) == 4
