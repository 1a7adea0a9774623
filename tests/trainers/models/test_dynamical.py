"""The base network and ResNet of the discrete-dynamical-system paper: formulas, counts, limits."""

from __future__ import annotations

from collections.abc import Callable
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
    noise,
    scramble,
)
from trainers.config.run import RunConfig
from trainers.methods.scheme_config import SchemeConfig
from trainers.models import MODELS
from trainers.models.counting import count
from trainers.models.dynamical_resnet.network import DynamicalResNet

Small = Callable[..., dict[str, Any]]

ARCHITECTURE = MODELS["dynamical_resnet"]


def completed(**options: Any) -> Any:
    given_options = ARCHITECTURE.options.model_validate({"name": "dynamical_resnet", **options})
    return ARCHITECTURE.complete(given_options, None)


def build(
    *, channels: int = 3, classes: int = 10, seed: int = 0, **options: Any
) -> DynamicalResNet:
    network = ARCHITECTURE.build(
        completed(**options),
        None,
        channels=channels,
        classes=classes,
        generator=torch.Generator().manual_seed(seed),
    )
    assert isinstance(network, DynamicalResNet)
    return network


def counted(*, channels: int = 3, classes: int = 10, **options: Any) -> int:
    """Parameters, as planning has them."""
    chosen = completed(**options)
    return count(ARCHITECTURE, chosen, None, channels=channels, classes=classes, size=32).parameters


@pytest.mark.parametrize(
    ("depth", "count"),
    # Of torchvision's ResNets with 1,000 classes, whose norms stand after the convolutions.
    [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160)],
)
def test_relu_before_addition_has_the_parameters_of_resnet(depth: int, count: int) -> None:
    post = {"depth": depth, "activation": "relu_before_addition", "classes": 1000}
    # Theirs widen the first stage of bottleneck blocks with a BN too, as ours.
    assert counted(**post) == count


def test_the_networks_of_figure_2_differ_as_their_formulas() -> None:
    base, without, with_norm = (
        counted(depth=18, **options)
        for options in ({"shortcuts": False}, {"batch_norm": False}, {})
    )
    projections = 64 * 128 + 128 * 256 + 256 * 512
    assert with_norm - base == projections
    # Two norms a block, of the channels that enter its convolutions, and one before the pooling.
    norms = 2 * (64 * 5 + 128 * 4 + 256 * 4 + 512 * 3) + 2 * 512
    assert with_norm - without == norms


ALL_OPTIONS = [
    {"shortcuts": shortcuts, "batch_norm": batch_norm, "activation": activation}
    for shortcuts in (True, False)
    for batch_norm in (True, False)
    for activation in ("full_preactivation", "relu_before_addition")
]


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    return {
        **draw(st.sampled_from(ALL_OPTIONS)),
        "depth": draw(st.sampled_from([18, 34, 50])),
        "width": draw(st.integers(1, 3)),
        "stem": draw(st.sampled_from(["3x3", "7x7"])),
        "channels": draw(st.integers(1, 3)),
        "classes": draw(st.integers(2, 12)),
    }


@settings(max_examples=20, deadline=None)
@given(networks())
@pytest.mark.slow
def test_dynamical_networks_use_every_parameter(arguments: dict[str, Any]) -> None:
    network = build(**arguments)
    logits = network(noise(2, arguments["channels"], 9, 9))
    logits.sum().backward()
    assert logits.shape == (2, arguments["classes"])
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("options", ALL_OPTIONS, ids=str)
def test_dynamical_resnet_gradients_reach_every_parameter(options: dict[str, Any]) -> None:
    network = build(depth=18, width=8, stem="3x3", **options)
    assert_gradients_reach_every_parameter(network, size=16)


def batch_normed(state: Tensor, norm: Any) -> Tensor:
    """In evaluation mode, from its weights and statistics themselves; the state without a norm."""
    if isinstance(norm, nn.Identity):
        return state
    shift, scale = norm.running_mean, (norm.running_var + 1e-5).sqrt()
    state = (state - shift[:, None, None]) / scale[:, None, None]
    return state * norm.weight[:, None, None] + norm.bias[:, None, None]


def convolved(state: Tensor, conv: Any) -> Tensor:
    kernel = conv.weight.shape[-1]
    return functional.conv2d(state, conv.weight, stride=conv.stride, padding=kernel // 2)


def by_formula(network: Any, images: Tensor, *, shortcuts: bool, pre: bool) -> Tensor:
    """x_{l+1} of Section 2, one block after the other."""
    state = convolved(images, network.stem.conv)
    if not pre:
        state = batch_normed(state, network.stem.activation.norm).clamp(min=0)
    if network.stem.conv.weight.shape[-1] == 7:
        state = functional.max_pool2d(state, 3, 2, 1)
    for block in network.blocks:
        f = block.function
        out, carried = state, state
        for place, (conv, activation) in enumerate(zip(f.convolutions, f.activations, strict=True)):
            if pre:
                out = batch_normed(out, activation.norm).clamp(min=0)
                if place == 0 and block.projection is not None:
                    carried = convolved(out, block.projection)
                out = convolved(out, conv)
            else:
                out = batch_normed(convolved(out, conv), activation.norm).clamp(min=0)
        if not pre and block.projection is not None:
            carried = batch_normed(convolved(state, block.projection[0]), block.projection[1])
        state = out + carried if shortcuts else out
    if pre:
        state = batch_normed(state, network.activation.norm).clamp(min=0)
    return state.mean(dim=(2, 3)) @ network.classifier.weight.T + network.classifier.bias


@pytest.mark.parametrize("options", ALL_OPTIONS, ids=str)
@pytest.mark.parametrize(("depth", "stem"), [(18, "3x3"), (18, "7x7"), (50, "3x3")])
def test_the_dynamical_forward_pass_is_the_formula(
    options: dict[str, Any], depth: int, stem: str
) -> None:
    network = build(depth=depth, width=3, stem=stem, **options).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 17, 17).double()
    pre = options["activation"] == "full_preactivation"
    with torch.no_grad():
        expected = by_formula(network, images, shortcuts=options["shortcuts"], pre=pre)
        torch.testing.assert_close(network(images), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("options", "activation"),
    [
        ({}, "full_preactivation"),
        ({"shortcuts": False}, "full_preactivation"),
        ({"batch_norm": False}, "relu_before_addition"),
        ({"batch_norm": False, "shortcuts": False}, "full_preactivation"),
    ],
)
def test_the_default_activation_is_section_2_s(options: dict[str, Any], activation: str) -> None:
    assert completed(depth=18, **options).activation == activation
    assert completed(depth=18, **options) == completed(depth=18, activation=activation, **options)


@pytest.mark.parametrize("depth", [18, 50])
def test_dynamical_resnet_with_shortcuts_and_bn_is_preact_resnet(depth: int) -> None:
    preact = MODELS["preact_resnet"]
    scheme = SchemeConfig.model_validate({"alpha": 1})
    options = {"name": "preact_resnet", "depth": depth, "width": 3, "final_norm": True}
    euler = preact.build(
        preact.complete(preact.options.model_validate(options), scheme),
        scheme,
        channels=3,
        classes=10,
        generator=torch.Generator().manual_seed(0),
    )
    network = build(depth=depth, width=3, stem="3x3")
    images = noise(4, 3, 16, 16)
    assert torch.equal(network(images), euler(images))


def test_the_base_network_has_the_weights_of_resnet_and_nothing_else() -> None:
    base, resnet = build(depth=18, width=3, shortcuts=False), build(depth=18, width=3)
    theirs = {
        name: tuple(weights.shape)
        for name, weights in resnet.named_parameters()
        if "projection" not in name
    }
    assert {name: tuple(weights.shape) for name, weights in base.named_parameters()} == theirs
    base.load_state_dict(resnet.state_dict(), strict=False)
    images = noise(4, 3, 16, 16)
    assert not torch.allclose(base(images), resnet(images))


def test_states_only_grow_where_relu_comes_before_the_addition() -> None:
    network = build(depth=18, width=4, batch_norm=False, stem="3x3").eval()
    with torch.no_grad():
        states = list(network.states(noise(2, 3, 16, 16)))
    within_stages = [(0, 1), (1, 2), (3, 4), (5, 6), (7, 8)]
    assert all(bool((states[b] >= states[a]).all()) for a, b in within_stages)
    assert any(bool((states[b] > states[a]).any()) for a, b in within_stages)


@pytest.mark.parametrize("options", [{}, {"shortcuts": False}, {"batch_norm": False}], ids=str)
def test_every_dynamical_resnet_state_has_the_shape_of_its_stage(options: dict[str, Any]) -> None:
    network = build(depth=50, width=2, **options)
    shapes = [tuple(state.shape) for state in network.states(noise(2, 3, 36, 64))]
    assert shapes == (
        [(2, 2, 9, 16)]
        + [(2, 8, 9, 16)] * 3
        + [(2, 16, 5, 8)] * 4
        + [(2, 32, 3, 4)] * 6
        + [(2, 64, 2, 2)] * 3
    )
    assert network(noise(2, 3, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("options", [{}, {"shortcuts": False}, {"batch_norm": False}], ids=str)
def test_dynamical_resnet_runs_in_bf16_and_channels_last(options: dict[str, Any]) -> None:
    network = build(depth=18, width=4, stem="3x3", **options).eval()
    images = noise(2, 3, 16, 16)
    with torch.no_grad():
        exact = network(images)
        network.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network(images.contiguous(memory_format=torch.channels_last))
    assert rounded.dtype == torch.bfloat16
    assert (rounded.float() - exact).norm() < 0.1 * exact.norm()


@pytest.mark.slow
def test_dynamical_resnet_compiles_to_one_graph() -> None:
    network = build(depth=18, width=2, batch_norm=False).eval()
    images = noise(2, 3, 8, 8)
    # Torch itself runs the graph: what is asked is whether there is one.
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(images), network(images))


def test_dynamical_resnet_initialisation_is_he_normal_and_depends_only_on_its_generator() -> None:
    network: Any = build(depth=18, width=32)
    conv = network.blocks[-1].function.convolutions[0]
    assert conv.weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)
    torch.manual_seed(2)
    again = build(depth=18, width=32).state_dict()
    assert all(torch.equal(again[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("options", [{}, {"shortcuts": False}, {"batch_norm": False}], ids=str)
def test_a_continued_dynamical_resnet_run_is_bit_identical(
    small: Small, tmp_path: Path, options: dict[str, Any]
) -> None:
    model = {"name": "dynamical_resnet", "depth": 18, "width": 4, "stem": "3x3", **options}
    training = {"epochs": 2, "batch_size": 64, "optimizer": {"lr": 0.01}}
    config = small(model=model, training=training)
    whole = assert_continued_run_is_identical(config, tmp_path)
    assert not whole["diverged"]
    assert whole["parameters"] == RunConfig.model_validate(config).parameters
    assert whole["learned_coefficients"] is None


@pytest.mark.parametrize(
    ("model", "scheme", "complaint"),
    [
        ({"depth": 22}, None, "depth 22 is none of 18, 34, .*; the nearest are 18 and 34"),
        ({"depth": 200}, None, "the nearest are 101 and 152"),
        ({"depth": 18, "stem": "5x5"}, None, "'3x3' or '7x7'"),
        ({"depth": 18, "activation": "pre"}, None, "'full_preactivation' or 'relu_before_add"),
        ({"depth": 18}, {"alpha": 1}, "dynamical_resnet is no linear multistep method"),
        ({"depth": 18, "shortcut": False}, None, "shortcut"),
    ],
)
def test_impossible_dynamical_resnet_options_are_refused(
    small: Small, model: dict[str, Any], scheme: dict[str, Any] | None, complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        RunConfig.model_validate(small(model={"name": "dynamical_resnet", **model}, scheme=scheme))
