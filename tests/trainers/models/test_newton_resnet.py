"""Newton-ResNet and the ResNet it is compared with: counts, the block, its limits, training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

import small_networks
from results.published import PublishedRow, published_table
from small_networks import (
    NO_DATA,
    assert_gradients_reach_every_parameter,
    noise,
    numbers,
    parameters,
    scramble,
)
from trainers.config.run import RunConfig
from trainers.errors import TrainingStopped
from trainers.models import MODELS
from trainers.run import run
from trainers.storage import open_folder

Small = Callable[..., dict[str, Any]]

CLASSES = {"cifar10": 10, "cifar100": 100, "speech_commands": 35}


def completed(name: str = "newton_resnet", **options: Any) -> Any:
    return small_networks.completed(name, **options)


def build(name: str = "newton_resnet", **options: Any) -> Any:
    return small_networks.build(name, **options)


def counted(name: str = "newton_resnet", **options: Any) -> int:
    return small_networks.counted(name, **options)


def printed_sizes(*tables: int) -> list[PublishedRow]:
    rows = [row for table in tables for row in published_table(f"newton/table{table}").rows]
    return [row for row in rows if row.metric == "parameters"]


def options_of(row: PublishedRow) -> dict[str, Any]:
    """From the words of the line, such as "ResNet18, 2 2 2 2 blocks, no activations"."""
    name, blocks, *activations = row.label.split(", ")
    return {
        "name": "resnet" if name.startswith("ResNet") else "newton_resnet",
        "blocks": [int(number) for number in blocks.split()[:-1]],
        "activation": "none" if activations else "relu",
    }


@pytest.mark.parametrize(
    "row", printed_sizes(1, 2, 4, 5), ids=lambda row: f"{row.label}, {row.dataset}"
)
def test_newton_resnet_parameters_match_the_published_tables(row: PublishedRow) -> None:
    count = counted(**options_of(row), classes=CLASSES[row.dataset])
    assert round(count, -5) == row.mean


def test_baseline_rows_of_the_newton_tables_are_plain_resnets() -> None:
    named = [row for row in printed_sizes(1, 2, 4, 5, 9) if row.label.startswith("ResNet")]
    assert {row.label.split(",")[0] for row in named} == {"ResNet18", "ResNet34"}
    for row in named:
        depth = int(row.label.split(",")[0].removeprefix("ResNet"))
        assert completed(depth=depth) == completed(blocks=options_of(row)["blocks"])


def test_cifar_resnets_have_their_known_parameter_counts() -> None:
    assert counted("resnet", depth=18) == 11_173_962
    assert counted("resnet", depth=34) == 21_282_122
    assert counted("resnet", depth=18, classes=100) == 11_220_132


def test_the_printed_speech_commands_count_fits_no_number_of_projections() -> None:
    """Table 9 prints 13.2 million, between none and one. The baseline of its other row fits."""
    baseline, newton = printed_sizes(9)
    shape = {"channels": 1, "classes": 35}
    assert f"{counted(**options_of(baseline), **shape) / 1e6:.1f}" == "21.3"
    possible = [
        counted(**options_of(newton), x_proj=x_proj, lin_proj=lin_proj, **shape) / 1e6
        for x_proj, lin_proj in [(0, 0), (0, 1), (1, 1)]
    ]
    assert [f"{count:.1f}" for count in possible] == ["12.7", "13.5", "14.3"]
    assert newton.mean == 13_200_000


activations = st.sampled_from(["relu", "none"])
norms = st.sampled_from(["batch", "none"])


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `build` for any valid combination of options of small networks."""
    arguments = {
        "name": draw(st.sampled_from(["resnet", "newton_resnet"])),
        "blocks": draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)),
        "width": draw(st.integers(1, 5)),
        "activation": draw(activations),
        "channels": draw(st.integers(1, 3)),
        "classes": draw(st.integers(2, 12)),
    }
    if arguments["name"] == "newton_resnet":
        arguments |= {
            "x_proj": draw(st.none() | st.integers(0, 2)),
            "lin_proj": draw(st.integers(0, 2)),
            "norm_1": draw(st.none() | norms),
            "norm_2": draw(norms),
            "tanh": draw(st.sampled_from(["half", "always", "never"])),
            "initial_alpha": draw(st.sampled_from([-1, 0, 0.25])),
        }
        if arguments["activation"] == "relu" and arguments["lin_proj"]:
            arguments["projection_activation"] = draw(activations)
    return arguments


@settings(max_examples=15, deadline=None)
@given(networks())
@pytest.mark.slow
def test_newton_resnets_use_every_parameter(arguments: dict[str, Any]) -> None:
    network = build(**arguments)
    logits = network(noise(2, arguments["channels"], 8, 8))
    logits.sum().backward()
    assert logits.shape == (2, arguments["classes"])
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


# Every part of the second-order term, and what it is without.
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "no activations": {"activation": "none"},
    "batch norms alone": {"x_proj": 0, "lin_proj": 0},
    "nothing normalised": {"x_proj": 0, "lin_proj": 0, "norm_1": "none", "norm_2": "none"},
    "many projections": {"x_proj": 2, "lin_proj": 3, "norm_1": "batch", "norm_2": "none"},
    "phi_2": {"x_proj": 1, "lin_proj": 2, "projection_activation": "relu"},
    "tanh": {"tanh": "always"},
}


def normed(state: Tensor, norm: Any) -> Tensor:
    state = (state - norm.running_mean[:, None, None]) / (
        norm.running_var[:, None, None] + 1e-5
    ).sqrt()
    return state * norm.weight[:, None, None] + norm.bias[:, None, None]


def projected(state: Tensor, conv: Any) -> Tensor:
    return torch.einsum("oc,nchw->nohw", conv.weight[:, :, 0, 0], state)


def normalisation(state: Tensor, layers: Any, count: int, kind: str, phi_2: str) -> Tensor:
    """N_1 or N_2 from the weights, as Algorithm 1 has its loops; layers in order of use."""
    weights: Iterator[Any] = iter([layer for layer in layers if list(layer.parameters())])
    for _ in range(count):
        state = projected(state, next(weights))
        if kind == "batch":
            state = normed(state, next(weights))
        if phi_2 == "relu":
            state = state.clamp(min=0)
    if count == 0 and kind == "batch":
        state = normed(state, next(weights))
    assert next(weights, None) is None
    return state


def newton_step(block: Any, state: Tensor, options: Any) -> Tensor:
    """Eq. 3 in evaluation mode, from the weights themselves."""

    def phi(x: Tensor) -> Tensor:
        return x.clamp(min=0) if options.activation == "relu" else x

    stride = block.conv1.stride[0]
    inner = functional.conv2d(state, block.conv1.weight, stride=stride, padding=1)
    inner = phi(normed(inner, block.norm1))
    slope = normed(functional.conv2d(inner, block.conv2.weight, padding=1), block.norm2)
    x = state
    if stride == 2:
        x = normed(projected(state[:, :, ::2, ::2], block.shortcut[0]), block.shortcut[1])
    phi_2 = options.projection_activation
    n_1 = normalisation(x, block.normalisation1, options.x_proj, options.norm_1, phi_2)
    product = n_1 * slope
    if options.tanh == "always":
        product = product.tanh()
    n_2 = normalisation(product, block.normalisation2, options.lin_proj, options.norm_2, phi_2)
    return phi(x + slope + block.alpha * n_2)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_newton_resnet_forward_pass_is_equation_3(variant: str) -> None:
    given_options = {"blocks": [1, 2], "width": 3, **VARIANTS[variant]}
    options: Any = completed(**given_options)
    network = build(**given_options).double()
    scramble(network)
    network.eval()
    with torch.no_grad():
        for index, block in enumerate(network.blocks):
            block.alpha.fill_(0.5 + index)
        images = noise(2, 3, 9, 8).double()
        state = functional.conv2d(images, network.stem[0].weight, padding=1)
        state = normed(state, network.stem[1])
        if options.activation == "relu":
            state = state.clamp(min=0)
        expected = [state]
        for block in network.blocks:
            expected.append(newton_step(block, expected[-1], options))
        logits = expected[-1].mean(dim=(2, 3)) @ network.classifier.weight.T
        for found, wanted in zip(network.states(images), expected, strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)
        found = network(images)
        torch.testing.assert_close(found, logits + network.classifier.bias, rtol=1e-9, atol=1e-9)


def test_newton_resnet_normalises_by_batch_statistics_in_training() -> None:
    block = build(blocks=[1], width=3, x_proj=0, lin_proj=0).blocks[0].double().train()
    shortcut, slope = noise(4, 3, 5, 5).double(), noise(4, 3, 5, 5, seed=2).double()
    product = (
        slope
        * (shortcut - shortcut.mean((0, 2, 3), keepdim=True))
        / (shortcut.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    )
    expected = (product - product.mean((0, 2, 3), keepdim=True)) / (
        product.var((0, 2, 3), correction=0, keepdim=True) + 1e-5
    ).sqrt()
    torch.testing.assert_close(block.second_order(shortcut, slope), expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_newton_resnet_gradients_reach_every_parameter(variant: str) -> None:
    network = build(blocks=[1, 2], width=3, initial_alpha=0.5, **VARIANTS[variant])
    assert_gradients_reach_every_parameter(network)


def test_newton_resnet_gradients_match_finite_differences() -> None:
    network = build(blocks=[1, 1], width=2, activation="none", initial_alpha=0.5, x_proj=1)
    network.double().eval()
    scramble(network)
    images = noise(1, 3, 4, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(network, (images,))
    block = network.blocks[1]
    at = network(images).sum()
    (slope,) = torch.autograd.grad(at, block.alpha)
    with torch.no_grad():
        block.alpha += 1e-6
        # The last block's alpha enters linearly.
        assert (network(images).sum() - at).item() / 1e-6 == pytest.approx(slope.item(), rel=1e-6)


def test_newton_resnet_alpha_gets_a_gradient_at_zero() -> None:
    network = build(blocks=[1, 1], width=3)
    assert [block.alpha.item() for block in network.blocks] == [0, 0]
    functional.cross_entropy(network(noise(8, 3, 8, 8)), torch.arange(8)).backward()
    assert all(block.alpha.grad.abs() > 0 for block in network.blocks)


def first_order_twin(newton: nn.Module, **options: Any) -> Any:
    """The ResNet with the weights that both have."""
    network = build("resnet", **options)
    missing = network.load_state_dict(newton.state_dict(), strict=False)
    assert missing.missing_keys == []
    assert missing.unexpected_keys
    assert all("normalisation" in k or "alpha" in k for k in missing.unexpected_keys)
    return network


@pytest.mark.parametrize("activation", ["relu", "none"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("training", [True, False])
def test_newton_resnet_with_alpha_0_is_the_first_order_resnet(
    activation: str, precision: str, training: bool
) -> None:
    options: dict[str, Any] = {"blocks": [2, 1], "width": 4, "activation": activation}
    newton = build(**options)
    scramble(newton)
    plain = first_order_twin(newton, **options)
    images = noise(4, 3, 8, 8)
    newton.train(training)
    plain.train(training)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        states = list(zip(newton.states(images), plain.states(images), strict=True))
        logits = newton(images), plain(images)
    assert all(torch.equal(ours, theirs) for ours, theirs in states)
    assert torch.equal(*logits)
    with torch.no_grad():
        newton.blocks[0].alpha.fill_(0.5)
        assert not torch.allclose(newton(images), plain(images))


class PlainResNet(nn.Module):
    """He et al. (2016) for 32x32 images, of their parts."""

    def __init__(self, blocks: list[int], width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.functions = nn.ModuleList()
        self.shortcuts = nn.ModuleList()
        inputs = width
        for stage, number in enumerate(blocks):
            for within in range(number):
                outputs, stride = width * 2**stage, 2 if stage and not within else 1
                self.functions.append(
                    nn.Sequential(
                        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                        nn.BatchNorm2d(outputs),
                        nn.ReLU(),
                        nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
                        nn.BatchNorm2d(outputs),
                    )
                )
                projection = nn.Conv2d(inputs, outputs, 1, 2, bias=False)
                self.shortcuts.append(
                    nn.Sequential(projection, nn.BatchNorm2d(outputs))
                    if stride == 2
                    else nn.Sequential()
                )
                inputs = outputs
        self.classifier = nn.Linear(inputs, 10)

    def forward(self, images: Tensor) -> Tensor:
        state = self.stem(images)
        for function, shortcut in zip(self.functions, self.shortcuts, strict=True):
            state = functional.relu(shortcut(state) + function(state))
        logits: Tensor = self.classifier(functional.adaptive_avg_pool2d(state, 1).flatten(1))
        return logits


def test_the_first_order_newton_resnet_is_the_plain_resnet() -> None:
    network = build("resnet", blocks=[1, 2, 1], width=4)
    plain = PlainResNet([1, 2, 1], 4)
    plain.stem.load_state_dict(network.stem.state_dict())
    plain.classifier.load_state_dict(network.classifier.state_dict())
    for block, function, shortcut in zip(
        network.blocks, plain.functions, plain.shortcuts, strict=True
    ):
        parts: Any = function
        for theirs, ours in ((0, "conv1"), (1, "norm1"), (3, "conv2"), (4, "norm2")):
            parts[theirs].load_state_dict(getattr(block, ours).state_dict())
        shortcut.load_state_dict(block.shortcut.state_dict())
    assert parameters(plain) == parameters(network)
    images = noise(4, 3, 16, 16)
    torch.testing.assert_close(network(images), plain(images))  # in training mode


def differences(network: nn.Module, degree: int) -> Tensor:
    """(degree + 1,): the largest n-th difference along a line of images, n from 1 on, as a share of
    the largest value.
    """
    start, direction = noise(1, 3, 8, 8).double(), noise(1, 3, 8, 8, seed=2).double()
    steps = torch.linspace(-1, 1, degree + 2, dtype=torch.float64)
    with torch.no_grad():
        values = network(start + steps[:, None, None, None] * direction)
    largest = values.abs().max()
    found = []
    for _ in range(degree + 1):
        values = values.diff(dim=0)
        found.append(values.abs().max() / largest)
    return torch.stack(found)


@pytest.mark.parametrize(
    ("name", "blocks", "options", "degree"),
    [
        ("resnet", [1, 1], {}, 1),
        ("newton_resnet", [1], {}, 2),
        ("newton_resnet", [1], {"x_proj": 2, "lin_proj": 0, "norm_2": "none"}, 2),
        ("newton_resnet", [1, 1], {}, 4),
        ("newton_resnet", [2, 1], {}, 8),
    ],
)
def test_newton_resnet_without_activations_is_a_polynomial(
    name: str, blocks: list[int], options: dict[str, Any], degree: int
) -> None:
    if name == "newton_resnet":
        options = {"initial_alpha": 1, **options}
    network = build(name, blocks=blocks, width=4, activation="none", **options).double()
    scramble(network)
    *lower, last = differences(network.eval(), degree)
    assert min(lower) > 1e-5
    assert last < 1e-12


def test_newton_resnet_with_activations_or_tanh_is_no_polynomial() -> None:
    for options in ({}, {"activation": "none", "tanh": "always"}):
        network = build(blocks=[1], width=4, initial_alpha=1, **options).double()
        scramble(network)
        assert differences(network.eval(), 2)[-1] > 1e-3


SHAPES = [(1, 8, 8), (3, 32, 32), (2, 28, 28), (3, 9, 13)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["resnet", "newton_resnet"])
def test_newton_resnet_states_halve_in_size_and_double_in_width_by_stage(
    shape: tuple[int, int, int], name: str
) -> None:
    channels, height, width = shape
    network = build(name, blocks=[2, 1, 1, 1], width=2, channels=channels)
    images = noise(2, *shape)
    states = list(network.states(images))
    assert len(states) == 1 + len(network.blocks)
    expected = [(2, 2, height, width)] * 3
    for stage in (1, 2, 3):
        height, width = -(-height // 2), -(-width // 2)
        expected.append((2, 2 * 2**stage, height, width))
    assert [tuple(state.shape) for state in states] == expected
    network.eval()
    pooled = list(network.states(images))[-1].mean(dim=(2, 3))
    assert torch.equal(network(images), network.classifier(pooled))
    assert network(images).shape == (2, 10)


def test_a_single_value_per_channel_is_normalised_by_running_statistics() -> None:
    network = build(blocks=[1, 1, 1, 1], width=2, initial_alpha=0.5)
    scramble(network)
    norm = network.blocks[-1].norm2
    before = norm.running_mean.clone(), norm.running_var.clone()
    value = noise(1, 16, 1, 1)
    assert torch.equal(norm.train()(value), norm.eval()(value))
    functional.cross_entropy(network.train()(noise(1, 3, 8, 8)), torch.tensor([1])).backward()
    assert torch.equal(norm.running_mean, before[0])
    assert torch.equal(norm.running_var, before[1])
    assert all(p.grad.isfinite().all() for p in network.parameters())
    network(noise(2, 3, 8, 8))
    assert not torch.equal(norm.running_mean, before[0])


def autocast(network: Any, images: Tensor, dtype: torch.dtype | None) -> Tensor:
    with torch.no_grad(), torch.autocast("cpu", dtype, enabled=dtype is not None):
        logits: Tensor = network(images)
    return logits


def test_tanh_bounds_the_product_only_in_half_precision() -> None:
    images = noise(4, 3, 8, 8)
    networks = {
        tanh: build(blocks=[1, 1], width=4, initial_alpha=2, tanh=tanh).eval()
        for tanh in ("half", "always", "never")
    }
    for network in networks.values():
        scramble(network)
    for dtype, same, other in [
        (None, "never", "always"),
        (torch.bfloat16, "always", "never"),
        (torch.float16, "always", "never"),
    ]:
        logits = {tanh: autocast(net, images, dtype) for tanh, net in networks.items()}
        assert torch.equal(logits["half"], logits[same])
        assert not torch.allclose(logits["half"], logits[other], rtol=0.05, atol=0.05)
        assert all(values.isfinite().all() for values in logits.values())


@pytest.mark.parametrize("tanh", ["half", "never"])
def test_tanh_keeps_an_overflowing_product_finite(tanh: str) -> None:
    block = build(blocks=[1], width=4, initial_alpha=1, tanh=tanh).blocks[0].half().eval()
    # Each factor is within float16's range, and their product is not.
    shortcut, slope = 100 * noise(1, 4, 3, 3), torch.full((1, 4, 3, 3), 60_000.0)
    leaf = shortcut.half().requires_grad_()
    second = block.second_order(leaf, slope.half())
    assert bool(second.isfinite().all()) == (tanh == "half")
    if tanh == "half":
        (gradient,) = torch.autograd.grad(second.sum(), leaf)
        assert gradient.isfinite().all()


def test_newton_resnet_in_bf16_does_not_round_alpha() -> None:
    block = build(
        blocks=[1], width=4, x_proj=0, lin_proj=0, norm_1="none", norm_2="none", activation="none",
        initial_alpha=0.825, tanh="never",
    ).blocks[0].eval()  # fmt: skip
    nn.init.zeros_(block.norm2.weight)
    nn.init.ones_(block.norm2.bias)
    state = noise(1, 4, 8, 8).bfloat16()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        new = block(state)
    # f is 1 everywhere: x + 1 + alpha x, where x + 1 is rounded once.
    first = (state.double() + 1).bfloat16().double()
    assert new.dtype == torch.bfloat16
    assert torch.equal(new, (first + 0.825 * state.double()).bfloat16())
    assert not torch.equal(new, (first + 0.82421875 * state.double()).bfloat16())


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_newton_resnet_initialisation_depends_only_on_its_generator() -> None:
    torch.manual_seed(1)
    first = build(blocks=[1, 1], width=4, seed=5)
    before = torch.random.get_rng_state()
    second = build(blocks=[1, 1], width=4, seed=5)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same_weights(first, second)
    assert not same_weights(first, build(blocks=[1, 1], width=4, seed=6))


def test_newton_resnet_initialisation_is_he_normal_by_fan_out() -> None:
    network = build(blocks=[1, 1], width=64)
    last = network.blocks[-1]
    for conv, fan_out in (
        (network.stem[0], 64 * 9),
        (last.conv1, 128 * 9),
        (last.conv2, 128 * 9),
        (last.shortcut[0], 128),
        (last.normalisation1[0], 128),
        (last.normalisation2[0], 128),
    ):
        deviation = (2 / fan_out) ** 0.5
        assert conv.weight.std().item() == pytest.approx(deviation, rel=0.05)
        assert abs(conv.weight.mean().item()) < 0.1 * deviation
    assert torch.equal(last.norm2.weight, torch.ones(128))
    assert network.classifier.weight.abs().max().item() <= 128**-0.5


@pytest.mark.parametrize("options", [{}, {"activation": "none", "tanh": "always"}])
@pytest.mark.slow
def test_newton_resnet_compiles_to_one_graph(options: dict[str, Any]) -> None:
    network = build(blocks=[1, 1], width=2, initial_alpha=0.5, **options)
    images = noise(4, 3, 8, 8)
    expected = network(images)
    compiled = torch.compile(network, backend="eager", fullgraph=True, dynamic=False)
    torch.testing.assert_close(compiled(images), expected)


# Options.


def run_id(small: Small, **model: Any) -> str:
    return RunConfig.model_validate(small(model=model)).run_id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"depth": 18}, {"blocks": [2, 2, 2, 2]}),
        ({"depth": 34}, {"depth": 34, "blocks": [3, 4, 6, 3]}),
        ({"depth": 26}, {"blocks": (3, 3, 3, 3), "width": 64}),
        ({"depth": 10}, {"depth": 10, "x_proj": 1, "norm_1": "none", "initial_alpha": 0}),
        (
            {"depth": 10, "activation": "none"},
            {"depth": 10, "activation": "none", "x_proj": 0, "norm_1": "batch", "tanh": "half"},
        ),
        ({"depth": 10, "initial_alpha": "1/2"}, {"depth": 10, "initial_alpha": 0.5}),
    ],
)
def test_equivalent_newton_resnet_options_have_one_run_id(
    small: Small, one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert run_id(small, name="newton_resnet", **one) == run_id(
        small, name="newton_resnet", **other
    )


def test_different_newton_resnets_have_different_run_ids(small: Small) -> None:
    different: list[dict[str, Any]] = [
        {},
        {"blocks": [2, 1, 1]},
        {"width": 32},
        {"activation": "none"},
        {"initial_alpha": 1},
        {"x_proj": 0},
        {"lin_proj": 0},
        {"norm_1": "batch"},
        {"norm_2": "none"},
        {"projection_activation": "relu"},
        {"tanh": "never"},
        {"tanh": "always"},
    ]
    ids = [
        run_id(small, name="newton_resnet", **{"blocks": [1, 1, 1, 1], **model})
        for model in different
    ]
    ids.append(run_id(small, name="resnet", blocks=[1, 1, 1, 1]))
    assert len(set(ids)) == len(ids)


def test_completing_newton_resnet_options_is_idempotent() -> None:
    for name in ("resnet", "newton_resnet"):
        once = completed(name, depth=10)
        assert MODELS[name].complete(once, None) == once
        assert MODELS[name].options.model_validate(once.model_dump(mode="json")) == once
        assert None not in once.model_dump(exclude={"body"}).values()


def test_newton_resnet_depth_matches_the_names_in_the_tables() -> None:
    blocks = {"2 2 2 2": 18, "3 4 6 3": 34, "2 2 1 1": 14, "3 3 2 2": 22, "3 4 3 2": 26}
    for written, depth in blocks.items():
        options = completed(blocks=[int(n) for n in written.split()])
        assert options.depth == depth


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"depth": 20}, "depth 20 is not 8n [+] 2 .* nearest are 18 and 26; or say .* blocks"),
        ({"depth": 0}, "depth 0 is not .* nearest are 10 and 18"),
        (
            {"depth": 18, "blocks": [2, 2, 1, 1]},
            r"depth 18 is not that of blocks \[2, 2, 1, 1\], which is 14",
        ),
        ({}, "depth"),
        ({"blocks": []}, "at least 1 item"),
        ({"blocks": [1] * 9}, "at most 8 items"),
        ({"blocks": [2, 0]}, "greater than or equal to 1"),
        ({"blocks": [2, True]}, "valid integer"),
        ({"blocks": 2}, "valid tuple"),
        ({"depth": 18, "width": 0}, "greater than or equal to 1"),
        ({"depth": 18, "activation": "tanh"}, "'relu' or 'none'"),
        ({"depth": 18, "tanh": True}, "'half', 'always' or 'never'"),
        ({"depth": 18, "norm_1": "layer"}, "'batch' or 'none'"),
        ({"depth": 18, "x_proj": -1}, "greater than or equal to 0"),
        ({"depth": 18, "lin_proj": 17}, "less than or equal to 16"),
        ({"depth": 18, "initial_alpha": float("nan")}, "than or equal to"),
        ({"depth": 18, "initial_alpha": 1e7}, "less than or equal to 1000000"),
        ({"depth": 18, "initial_alpha": True}, "True is not a number"),
        ({"depth": 18, "alpha": 1}, "Extra inputs"),
        (
            {"depth": 18, "activation": "none", "projection_activation": "relu"},
            "projection_activation 'relu' contradicts activation 'none'",
        ),
        (
            {"depth": 18, "x_proj": 0, "lin_proj": 0, "projection_activation": "relu"},
            "x_proj and lin_proj are both 0",
        ),
    ],
)
def test_invalid_newton_resnet_options_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        completed(**options)


def test_resnet_has_no_second_order_options() -> None:
    with pytest.raises(ValidationError, match="x_proj"):
        completed("resnet", depth=18, x_proj=1)


def test_resnet_and_newton_resnet_refuse_a_scheme(small: Small) -> None:
    for name in ("resnet", "newton_resnet"):
        model = {"name": name, "depth": 10}
        assert RunConfig.model_validate(small(model=model)).scheme is None
        with pytest.raises(ValidationError, match=f"{name} is no linear multistep method"):
            RunConfig.model_validate(small(model=model, scheme={"alpha": 1}))


# Training.


def stop_after_one(metrics: Any) -> None:
    raise TrainingStopped


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"precision": "bf16"},
        {"model": {"name": "newton_resnet", "blocks": [1, 1, 1, 1], "width": 4,
                   "activation": "none"}},
        {"model": {"name": "resnet", "blocks": [1, 2], "width": 4}},
    ],
    ids=["newton", "bf16", "no activations", "first order"],
)  # fmt: skip
def test_a_continued_newton_resnet_run_is_bit_identical(
    small: Small, tmp_path: Path, change: dict[str, Any]
) -> None:
    config = {
        **small(training={"epochs": 2, "batch_size": 53}),  # leaves one image for the last batch
        "model": {"name": "newton_resnet", "blocks": [1, 1], "width": 4},
        **change,
    }
    whole = run(config, [], data_dir=NO_DATA)
    assert not whole["diverged"]
    assert whole["parameters"] == RunConfig.model_validate(config).parameters
    first, second = whole["epochs"]
    assert second["train_loss"] < first["train_loss"]
    folder = open_folder(tmp_path)
    with pytest.raises(TrainingStopped):
        run(config, [], data_dir=NO_DATA, folder=folder, on_epoch=stop_after_one)
    continued = run(config, [], data_dir=NO_DATA, folder=folder)
    assert continued["provenance"]["first_epoch"] == 2
    assert numbers(continued) == numbers(whole)


def test_training_changes_newton_resnets_alpha(small: Small, tmp_path: Path) -> None:
    config = small(
        model={"name": "newton_resnet", "blocks": [1, 1], "width": 4},
        training={"epochs": 1, "batch_size": 64},
    )
    run(config, [], data_dir=NO_DATA, folder=open_folder(tmp_path))
    trained = torch.load(tmp_path / "weights.pt", weights_only=True)["weights"]
    alphas = [value.item() for name, value in trained.items() if name.endswith("alpha")]
    assert len(alphas) == 2
    assert all(alpha != 0 for alpha in alphas)


def test_newton_resnet_stages_follow_from_the_blocks_option() -> None:
    network = build("resnet", blocks=[1, 1, 2], width=4)
    widths = [block.conv2.out_channels for block in network.blocks]
    assert widths == [4, 8, 16, 16]
    strides = [block.conv1.stride[0] for block in network.blocks]
    assert strides == [1, 2, 2, 1]
    assert [block.conv1.in_channels for block in network.blocks] == [4, 4, 8, 16]
