"""Multistep networks on the wide body: counts, the recurrence, PreActResNet as its limit."""

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
    parameters,
    scramble,
)
from trainers.config.run import RunConfig
from trainers.methods.scheme_config import SchemeConfig
from trainers.models import MODELS
from trainers.models.coefficients import learned_coefficients
from trainers.models.counting import count
from trainers.models.wide.network import WideMultistepNetwork
from trainers.models.wide.options import DEPTHS
from trainers.models.wide.recurrence import wide_steps

Small = Callable[..., dict[str, Any]]
Scheme = dict[str, Any]


def resolved(name: str, scheme: Scheme | None, options: dict[str, Any]) -> Any:
    architecture = MODELS[name]
    chosen = SchemeConfig.model_validate(architecture.default_scheme if scheme is None else scheme)
    given_options = architecture.options.model_validate({"name": name, **options})
    return architecture, architecture.complete(given_options, chosen), chosen


def build(
    name: str = "preact_resnet",
    scheme: Scheme | None = None,
    *,
    channels: int = 3,
    classes: int = 10,
    seed: int = 0,
    **options: Any,
) -> WideMultistepNetwork:
    architecture, completed, chosen = resolved(name, scheme, options)
    generator = torch.Generator().manual_seed(seed)
    network = architecture.build(
        completed, chosen, channels=channels, classes=classes, generator=generator
    )
    assert isinstance(network, WideMultistepNetwork)
    return network


def counted(
    name: str = "preact_resnet",
    scheme: Scheme | None = None,
    *,
    channels: int = 3,
    classes: int = 10,
    **options: Any,
) -> int:
    """Parameters, as planning has them."""
    architecture, completed, chosen = resolved(name, scheme, options)
    return count(
        architecture, completed, chosen, channels=channels, classes=classes, size=32
    ).parameters


def multiply_adds(name: str, size: int, **options: Any) -> int:
    architecture, completed, chosen = resolved(name, None, options)
    return count(architecture, completed, chosen, channels=3, classes=10, size=size).multiply_adds


# The TM-ResNet paper's parameters in thousands, 10 classes.
PRINTED = [("preact_resnet", 18, 11_171), ("tm_resnet_wide", 22, 11_001)]


@pytest.mark.parametrize(("name", "depth", "thousands"), PRINTED)
def test_wide_network_parameters_match_the_printed(name: str, depth: int, thousands: int) -> None:
    assert counted(name, depth=depth) // 1000 == thousands
    assert parameters(build(name, depth=depth)) // 1000 == thousands


@pytest.mark.parametrize(
    ("depth", "count"),
    # Layer by layer: a norm before each convolution, none on projections or before the pooling.
    [(18, 11_171_146), (34, 21_279_306), (50, 23_509_066), (101, 42_501_194), (152, 58_144_842)],
)
def test_preact_resnet_parameters_match_each_depth(depth: int, count: int) -> None:
    basic = depth < 50
    blocks = {18: [2, 2, 2, 2], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}.get(depth, [3, 4, 6, 3])
    total, inputs = 3 * 9 * 64, 64
    for stage, number in enumerate(blocks):
        inner = 64 * 2**stage
        outputs = inner if basic else 4 * inner
        for _ in range(number):
            if basic:
                total += 2 * inputs + 9 * inputs * inner + 2 * inner + 9 * inner * inner
            else:
                total += 2 * inputs + inputs * inner + 2 * inner + 9 * inner * inner
                total += 2 * inner + inner * outputs
            if inputs != outputs:
                total += inputs * outputs
            inputs = outputs
    assert total + inputs * 10 + 10 == count
    assert counted(depth=depth) == count
    assert counted(depth=depth, final_norm=True) == count + 2 * inputs


def test_multiply_adds_of_resnet_18_and_50_match_the_known() -> None:
    # ImageNet's images; torchvision's ResNets have 1.814 and 4.089 thousand million, of which the
    # classifier, which is not counted here, has one and two million.
    assert multiply_adds("preact_resnet", 224, depth=18, stem="7x7") / 1e9 == pytest.approx(
        1.814, abs=0.002
    )
    assert multiply_adds("preact_resnet", 224, depth=50, stem="7x7") / 1e9 == pytest.approx(
        4.089, abs=0.003
    )


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    """Any options under which a network exists."""
    steps = draw(st.integers(1, 5))
    alpha = draw(st.lists(st.floats(0.1, 2), min_size=steps, max_size=steps))
    form = draw(st.sampled_from(["fixed", "coefficients", "k", "lambda"]))
    scheme: Scheme = {"alpha": alpha, "beta": 0.5, "trainable": form == "coefficients"}
    if form in ("k", "lambda"):
        scheme = {form: draw(st.floats(0.1, 1)), "trainable": True}
        steps = {"k": 2, "lambda": 3}[form]
    depth = draw(st.sampled_from([18, 22, 34, 50]))
    blocks = {18: 8, 22: 10, 34: 16, 50: 16}[depth]
    return {
        "scheme": scheme,
        "depth": depth,
        "width": draw(st.integers(1, 3)),
        "stem": draw(st.sampled_from(["3x3", "7x7"])),
        "final_norm": draw(st.booleans()),
        "start_blocks": draw(st.none() | st.integers(steps - 1, blocks - 1)),
        "channels": draw(st.integers(1, 3)),
        "classes": draw(st.integers(2, 12)),
    }


@settings(max_examples=20, deadline=None)
@given(networks())
@pytest.mark.slow
@pytest.mark.long
def test_wide_networks_have_the_planned_parameters_and_use_all(
    arguments: dict[str, Any],
) -> None:
    network = build(**arguments)
    assert counted(**arguments) == parameters(network)
    logits = network(noise(2, arguments["channels"], 9, 9))
    logits.sum().backward()
    assert logits.shape == (2, arguments["classes"])
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ("name", "scheme", "options"),
    [
        ("preact_resnet", None, {"depth": 18}),
        ("preact_resnet", {"k": [-0.1, 0], "trainable": True}, {"depth": 18, "final_norm": True}),
        ("tm_resnet_wide", None, {"depth": 22}),
        ("tm_resnet_wide", {"lambda": 1, "trainable": True}, {"depth": 50}),
    ],
)
def test_wide_network_gradients_reach_every_parameter(
    name: str, scheme: Scheme | None, options: dict[str, Any]
) -> None:
    network = build(name, scheme, width=3, **options)
    assert_gradients_reach_every_parameter(network, size=16)


def normed(state: Tensor, norm: Any) -> Tensor:
    """ReLU of a BN in evaluation mode, from its weights and statistics themselves."""
    shift, scale = norm.running_mean, (norm.running_var + 1e-5).sqrt()
    state = (state - shift[:, None, None]) / scale[:, None, None]
    return (state * norm.weight[:, None, None] + norm.bias[:, None, None]).clamp(min=0)


def recurrence(
    network: Any, alpha: list[float], beta: float, images: Tensor, *, stages: list[int], start: int
) -> Tensor:
    """Logits by the scheme's formula, with every state kept."""
    first_of_later_stages = [sum(stages[:stage]) for stage in (1, 2, 3)]
    states = [functional.conv2d(images, network.stem.conv.weight, padding=1)]
    for index, block in enumerate(network.blocks):
        crosses = index in first_of_later_stages
        widens = crosses or (len(block.function.convolutions) == 3 and index == 0)
        inner = newest = normed(states[-1], block.function.activations[0].norm)
        for place, conv in enumerate(block.function.convolutions):
            if place:
                inner = normed(inner, block.function.activations[place].norm)
            strides = place == (1 if len(block.function.convolutions) == 3 else 0)
            inner = functional.conv2d(
                inner,
                conv.weight,
                stride=2 if crosses and strides else 1,
                padding=conv.weight.shape[-1] // 2,
            )
        if widens:
            # The j-th projection is that of the state j steps old.
            activated = [newest] + [
                normed(states[-2 - j], activation.norm)
                for j, activation in enumerate(block.older_activations)
            ]
            states = [
                functional.conv2d(state, projection.weight, stride=2 if crosses else 1)
                for state, projection in zip(activated, block.projections, strict=True)
            ][::-1]
        if index < start:
            new = states[-1] + inner
        else:
            new = beta * inner
            for j, weight in enumerate(alpha):
                new = new + weight * states[-1 - j]
        states.append(new)
    last = states[-1]
    if not isinstance(network.activation, nn.Identity):
        last = normed(last, network.activation.norm)
    return last.mean(dim=(2, 3)) @ network.classifier.weight.T + network.classifier.bias


# Dyadic, so that float32 holds them exactly.
DYADIC = {
    1: ([0.875], 1.25),
    2: ([0.625, 0.25], 1.5),
    3: ([0.75, -0.5, 0.625], 1.125),
    4: ([-0.125, 0.75, 0.625, -0.25], 2.25),
}
STAGES = {18: [2, 2, 2, 2], 22: [3, 4, 1, 2], 50: [3, 4, 6, 3]}


@pytest.mark.parametrize("steps", DYADIC)
@pytest.mark.parametrize("depth", STAGES)
def test_the_wide_forward_pass_is_the_recurrence(steps: int, depth: int) -> None:
    alpha, beta = DYADIC[steps]
    start = steps - 1 + (depth == 18)
    network = build(
        scheme={"alpha": alpha, "beta": beta},
        depth=depth,
        width=3,
        start_blocks=start,
        final_norm=depth == 22,
    ).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 9, 9).double()
    with torch.no_grad():
        expected = recurrence(network, alpha, beta, images, stages=STAGES[depth], start=start)
        torch.testing.assert_close(network(images), expected, rtol=1e-10, atol=1e-10)


class PlainPreActResNet(nn.Module):
    """As He et al. (2016b) have it: a projection shares its block's first BN-ReLU."""

    def __init__(self, stages: list[int], width: int, bottleneck: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList()
        inputs = width
        for stage, number in enumerate(stages):
            inner = width * 2**stage
            outputs = 4 * inner if bottleneck else inner
            for within in range(number):
                stride = 2 if stage and not within else 1
                kernels = [1, 3, 1] if bottleneck else [3, 3]
                widths = [inputs, inner, inner, outputs] if bottleneck else [inputs, inner, inner]
                layers: list[nn.Module] = []
                for place, kernel in enumerate(kernels):
                    layers += [
                        nn.BatchNorm2d(widths[place]),
                        nn.ReLU(),
                        nn.Conv2d(
                            widths[place],
                            widths[place + 1],
                            kernel,
                            stride if place == int(bottleneck) else 1,
                            kernel // 2,
                            bias=False,
                        ),
                    ]
                block = nn.Module()
                block.first = nn.Sequential(*layers[:2])
                block.rest = nn.Sequential(*layers[2:])
                if inputs != outputs:
                    block.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.blocks.append(block)
                inputs = outputs
        self.classifier = nn.Linear(inputs, 10)

    def forward(self, images: Tensor) -> Tensor:
        state = self.stem(images)
        for block in self.blocks:
            unit: Any = block
            activated = unit.first(state)
            state = (unit.shortcut(activated) if hasattr(unit, "shortcut") else state) + unit.rest(
                activated
            )
        logits: Tensor = self.classifier(state.mean(dim=(2, 3)))
        return logits


@pytest.mark.parametrize("depth", [18, 50])
def test_forward_euler_is_the_preactivation_resnet(depth: int) -> None:
    network: Any = build(depth=depth, width=4)
    plain: Any = PlainPreActResNet(STAGES[depth], 4, bottleneck=depth == 50)
    assert parameters(plain) == parameters(network)
    plain.stem.load_state_dict(network.stem.conv.state_dict())
    for theirs, ours in zip(plain.blocks, network.blocks, strict=True):
        layers = [*theirs.first, *theirs.rest]
        for place, conv in enumerate(ours.function.convolutions):
            layers[3 * place].load_state_dict(ours.function.activations[place].norm.state_dict())
            layers[3 * place + 2].load_state_dict(conv.state_dict())
        if hasattr(theirs, "shortcut"):
            theirs.shortcut.load_state_dict(ours.projections[0].state_dict())
    plain.classifier.load_state_dict(network.classifier.state_dict())
    images = noise(4, 3, 16, 16).double()
    torch.testing.assert_close(network.double()(images), plain.double()(images))  # in training mode


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_the_taylor_network_is_preact_resnet_with_lambda_one_and_three_start_blocks() -> None:
    taylor = build("tm_resnet_wide", depth=22, width=3)
    preact = build("preact_resnet", {"lambda": 1}, depth=22, width=3, start_blocks=3)
    assert same_weights(taylor, preact)
    images = noise(2, 3, 16, 16)
    assert torch.equal(taylor(images), preact(images))
    two = build("preact_resnet", {"lambda": 1}, depth=22, width=3)
    assert same_weights(build("tm_resnet_wide", depth=22, width=3), two)
    assert not torch.equal(taylor(images), two(images))


def test_the_taylor_network_starts_with_a_stage_of_three_blocks() -> None:
    steps = wide_steps(DEPTHS, 22, 64, 3, 3)
    assert [step.multistep for step in steps] == [False] * 3 + [True] * 7
    assert [step.carried for step in steps] == [0, 0, 0, 3, 0, 0, 0, 3, 3, 0]
    assert [step.block.outputs for step in steps] == [64] * 3 + [128] * 4 + [256] + [512] * 2


def test_only_states_used_by_later_steps_are_kept() -> None:
    assert [step.carried for step in wide_steps(DEPTHS, 18, 64, 3, 3)] == [0, 0, 2, 0, 3, 0, 3, 0]
    assert [step.carried for step in wide_steps(DEPTHS, 18, 64, 3, 6)] == [0, 0, 1, 0, 1, 0, 3, 0]
    # A bottleneck block widens the state that leaves the stem.
    assert [step.carried for step in wide_steps(DEPTHS, 50, 64, 2, 1)][:4] == [1, 0, 0, 2]


@pytest.mark.parametrize("start_blocks", [None, 0, 3])
def test_forward_euler_has_no_start_blocks(start_blocks: int | None) -> None:
    for name in ("preact_resnet", "tm_resnet_wide"):
        options = {"depth": 18, "start_blocks": start_blocks}
        _, completed, _ = resolved(name, {"alpha": 1}, options)
        assert completed.start_blocks == 0
        _, completed, _ = resolved(name, {"alpha": 0.5}, options)
        assert completed.start_blocks == (start_blocks or 0)


@pytest.mark.parametrize(
    ("depth", "widths"), [(18, [1, 2, 4, 8]), (22, [1, 2, 4, 8]), (50, [4, 8, 16, 32])]
)
@pytest.mark.parametrize("stem", ["3x3", "7x7"])
def test_every_wide_network_state_has_the_shape_of_its_stage(
    depth: int, widths: list[int], stem: str
) -> None:
    network = build("tm_resnet_wide", depth=depth, width=3, stem=stem)
    height, width = (36, 17) if stem == "3x3" else (9, 5)
    expected = [(2, 3, height, width)]
    for stage, number in enumerate(STAGES[depth]):
        if stage:
            height, width = (height + 1) // 2, (width + 1) // 2
        expected += [(2, 3 * widths[stage], height, width)] * number
    assert [tuple(state.shape) for state in network.states(noise(2, 3, 36, 17))] == expected
    assert len(network.blocks) == len(expected) - 1


def test_wide_network_initialisation_is_he_normal_and_depends_only_on_its_generator() -> None:
    network: Any = build("tm_resnet_wide", depth=22, width=32)
    crossing = network.blocks[8]
    for conv, fan_out in (
        (crossing.function.convolutions[0], 256 * 9),
        (crossing.function.convolutions[1], 256 * 9),
        (crossing.projections[2], 256),
    ):
        assert conv.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)
    first = build(scheme={"k": [-0.1, 0], "trainable": True}, depth=18, width=2, seed=5)
    torch.manual_seed(2)
    again = build(scheme={"k": [-0.1, 0], "trainable": True}, depth=18, width=2, seed=5)
    assert same_weights(first, again)
    coefficients = learned_coefficients(first)
    assert coefficients is not None
    assert len({k for _, k, _ in coefficients}) == len(coefficients) == 7
    assert learned_coefficients(build(depth=18, width=2)) is None


@pytest.mark.parametrize("scheme", [None, {"lambda": 1, "trainable": True}])
def test_wide_networks_run_in_bf16_and_channels_last(scheme: Scheme | None) -> None:
    network = build("tm_resnet_wide", scheme, depth=18, width=4).eval()
    images = noise(2, 3, 16, 16)
    with torch.no_grad():
        exact = network(images)
        network.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network(images.contiguous(memory_format=torch.channels_last))
    assert rounded.dtype == torch.bfloat16
    assert (rounded.float() - exact).norm() < 0.1 * exact.norm()


@pytest.mark.slow
@pytest.mark.long
def test_wide_network_compiles_to_one_graph() -> None:
    network = build("preact_resnet", {"lambda": 1}, depth=18, width=2).eval()
    images = noise(2, 3, 8, 8)
    # Torch itself runs the graph: what is asked is whether there is one.
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(images), network(images))


@pytest.mark.parametrize(
    ("model", "precision"),
    [
        ({"name": "preact_resnet", "depth": 18, "width": 4}, "bf16"),
        ({"name": "tm_resnet_wide", "depth": 22, "width": 4}, "fp32"),
    ],
    ids=["preact_resnet", "tm_resnet_wide"],
)
@pytest.mark.slow
def test_a_continued_wide_network_run_is_bit_identical(
    small: Small, tmp_path: Path, model: dict[str, Any], precision: str
) -> None:
    config = small(model=model, precision=precision, training={"epochs": 2, "batch_size": 64})
    whole = assert_continued_run_is_identical(config, tmp_path)
    assert not whole["diverged"]
    assert whole["epochs"][1]["train_loss"] < whole["epochs"][0]["train_loss"]
    assert whole["parameters"] == RunConfig.model_validate(config).parameters


@pytest.mark.parametrize(
    ("model", "scheme", "complaint"),
    [
        ({"depth": 20}, None, "depth 20 is none of 18, 22, .*; the nearest are 18 and 22"),
        ({"depth": 1000}, None, "the nearest are 101 and 152"),
        ({"depth": 0}, None, "the nearest are 18 and 22"),
        ({"depth": 18, "stem": "5x5"}, None, "'3x3' or '7x7'"),
        ({"depth": 18, "width": 0}, None, "greater than or equal to 1"),
        ({"depth": 18, "stage_change": "restart"}, None, "stage_change"),
        ({"depth": 18, "start_blocks": 1}, {"lambda": 1}, "start_blocks 1 is too few: .* needs 2"),
        ({"depth": 18, "start_blocks": 8}, {"alpha": 0.5}, "8 blocks.*choose depth 22 or more"),
        ({"depth": 22, "start_blocks": 30}, {"lambda": 1}, "10 blocks.*choose depth 101 or more"),
        ({"depth": 152, "start_blocks": 50}, {"lambda": 1}, "50 blocks.*fewer start_blocks"),
    ],
)
def test_impossible_wide_network_options_are_refused(
    small: Small, model: dict[str, Any], scheme: Scheme | None, complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        RunConfig.model_validate(small(model={"name": "preact_resnet", **model}, scheme=scheme))
