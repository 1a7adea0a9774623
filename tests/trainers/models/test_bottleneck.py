"""Bottleneck blocks of the multistep networks: counts, structure, recurrence, identity."""

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
    assert_every_parameter_has_a_gradient,
    noise,
    parameters,
    scramble,
)
from trainers.config.run import RunConfig
from trainers.methods.scheme_config import SchemeConfig
from trainers.models import MODELS
from trainers.models.counting import count
from trainers.models.multistep.layout import multistep_layout
from trainers.models.multistep.network import BottleneckFunction, MultistepNetwork

Small = Callable[..., dict[str, Any]]


def planned(name: str, scheme: Any = None, **options: Any) -> tuple[Any, SchemeConfig]:
    """Options and scheme, completed."""
    architecture = MODELS[name]
    resolved = SchemeConfig.model_validate(
        architecture.default_scheme if scheme is None else scheme
    )
    given_options = {"name": name, "block": "bottleneck", **options}
    validated = architecture.options.model_validate(given_options)
    return architecture.complete(validated, resolved), resolved


def counted(name: str, scheme: Any = None, *, classes: int = 10, **options: Any) -> int:
    completed, resolved = planned(name, scheme, **options)
    return count(MODELS[name], completed, resolved, channels=3, classes=classes, size=32).parameters


def build(
    name: str, scheme: Any = None, *, channels: int = 3, classes: int = 10, **options: Any
) -> Any:
    network = MODELS[name].build(
        *planned(name, scheme, **options),
        channels=channels,
        classes=classes,
        generator=torch.Generator().manual_seed(0),
    )
    assert isinstance(network, MultistepNetwork)
    return network


# Counts.


@pytest.mark.parametrize(("depth", "millions"), [(164, "1.7"), (1001, "10.2")])
def test_bottleneck_preresnet_has_the_published_size(depth: int, millions: str) -> None:
    """He et al. (2016, Table 4) on CIFAR-10; their figures leave out the norms."""
    layout = multistep_layout(depth, 16, 1, 0, "project", bottleneck=True)
    norms = 2 * (layout[-1].outputs + sum(block.inputs + 2 * block.inner for block in layout))
    norms += 2 * layout[0].inputs  # before the first projection
    assert f"{(counted('preresnet', depth=depth) - norms) / 1e6:.1f}" == millions


def by_hand(n: int, classes: int, states: int, normed: bool) -> int:
    """Layer by layer; `states` cross each change of stage."""
    count = 27 * 16  # the stem
    count += 2 * 16 + 16 * 64  # BN and 1x1 convolution from the stem to the first state
    inputs = 16
    for width in (16, 32, 64):
        for within in range(n):
            count += 2 * inputs + inputs * width
            count += 2 * width + 9 * width**2
            count += 2 * width + 4 * width**2
            if within == 0 and width > 16:
                count += 2 * inputs + inputs * 4 * width if normed else states * inputs * 4 * width
            inputs = 4 * width
    return count + 2 * 256 + 257 * classes


@pytest.mark.parametrize(
    ("name", "depth", "classes", "count"),
    [
        ("preresnet", 164, 10, 1_703_290),
        ("preresnet", 164, 100, 1_726_420),
        ("zerosnet", 164, 100, 1_808_340),
        ("zerosnet", 326, 100, 3_477_588),
        ("lm_resnet", 164, 10, 1_703_725),
        ("lm_resnet", 164, 100, 1_726_855),
    ],
)
def test_bottleneck_parameters_match_a_layer_by_layer_count(
    name: str, depth: int, classes: int, count: int
) -> None:
    n = (depth - 2) // 9
    if name == "lm_resnet":
        # A BN before each projection, and a k in each block but a stage's first.
        expected = by_hand(n, classes, 1, True) + 3 * (n - 1)
    else:
        expected = by_hand(n, classes, 3 if name == "zerosnet" else 1, False)
    assert counted(name, depth=depth, classes=classes) == expected == count


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `build` for bottleneck networks of up to 29 layers."""
    steps = draw(st.integers(1, 4))
    stage_change = draw(st.sampled_from(["project", "restart"]))
    fewest = steps if stage_change == "restart" else -(-steps // 3)
    if fewest > 3:
        stage_change, fewest = "project", 2
    return {
        "name": "zerosnet",
        "scheme": {"alpha": [0.25] * steps, "beta": 1, "trainable": draw(st.booleans())},
        "stage_change": stage_change,
        "depth": 9 * draw(st.integers(fewest, 3)) + 2,
        "width": draw(st.integers(1, 4)),
        "channels": draw(st.integers(1, 3)),
        "classes": draw(st.integers(2, 12)),
    }


@settings(max_examples=20, deadline=None)
@given(networks(), st.integers(8, 13))
@pytest.mark.long
def test_bottleneck_networks_use_every_parameter(arguments: dict[str, Any], size: int) -> None:
    network = build(**arguments)
    logits = network(noise(2, arguments["channels"], size, size))
    logits.sum().backward()
    assert logits.shape == (2, arguments["classes"])
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


# Structure.


def test_the_bottleneck_layout_of_depth_29_is_as_published() -> None:
    layout = multistep_layout(29, 16, 3, 2, "project", bottleneck=True)
    assert [block.inner for block in layout] == [16] * 3 + [32] * 3 + [64] * 3
    assert [block.outputs for block in layout] == [64] * 3 + [128] * 3 + [256] * 3
    assert [block.inputs for block in layout] == [16, *(block.outputs for block in layout[:-1])]
    assert [block.carried for block in layout] == [1, 0, 0, 3, 0, 0, 3, 0, 0]
    assert [block.normed for block in layout] == [True] + [False] * 8
    assert [block.stride for block in layout] == [1, 1, 1, 2, 1, 1, 2, 1, 1]
    restarting = multistep_layout(29, 16, 3, 2, "restart", bottleneck=True)
    assert [block.carried for block in restarting] == [1, 0, 0, 1, 0, 0, 1, 0, 0]
    assert [block.normed for block in restarting] == [True, False, False] * 3


def residual(f: Any, state: Tensor, stride: int) -> Tensor:
    """BN-ReLU-1x1-BN-ReLU-3x3-BN-ReLU-1x1 from the weights, in evaluation mode."""
    for index, (kernel, step) in enumerate(((1, 1), (3, stride), (1, 1)), start=1):
        norm, conv = getattr(f, f"norm{index}"), getattr(f, f"conv{index}")
        assert conv.kernel_size == (kernel, kernel)
        state = functional.conv2d(
            normed(state, norm), conv.weight, stride=step, padding=kernel // 2
        )
    return state


def normed(x: Tensor, norm: Any) -> Tensor:
    return functional.batch_norm(
        x, norm.running_mean, norm.running_var, norm.weight, norm.bias
    ).relu()


@pytest.mark.parametrize("stage_change", ["project", "restart"])
@pytest.mark.parametrize(
    ("alpha", "beta"), [([0.875], 1.25), ([0.625, 0.25], 1.5), ([0.75, -0.5, 0.625], 1.125)]
)
def test_the_bottleneck_forward_pass_is_the_recurrence(
    alpha: list[float], beta: float, stage_change: str
) -> None:
    steps, n = len(alpha), 3
    network = build(
        "zerosnet",
        {"alpha": alpha, "beta": beta},
        depth=9 * n + 2,
        width=2,
        stage_change=stage_change,
    ).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 8, 8).double()
    with torch.no_grad():
        states = [functional.conv2d(images, network.stem.weight, padding=1)]
        since_start = 0
        for index, block in enumerate(network.blocks):
            crosses = index in (n, 2 * n)
            stride = 2 if crosses else 1
            slope = residual(block.function, states[-1], stride)
            if index == 0 or (crosses and stage_change == "restart"):
                shortcut = normed(states[-1], block.projection_norm)
                states = [functional.conv2d(shortcut, block.projections[0].weight, stride=stride)]
                since_start = 0
            elif crosses:
                states = [
                    functional.conv2d(states[-1 - j], projection.weight, stride=2)
                    for j, projection in enumerate(block.projections)
                ][::-1]
            if since_start < steps - 1:
                states.append(states[-1] + slope)
            else:
                terms = [weight * states[-1 - j] for j, weight in enumerate(alpha)]
                states.append(beta * slope + sum(terms))
            since_start += 1
        out = normed(states[-1], network.norm).mean(dim=(2, 3))
        expected = network.classifier(out)
        torch.testing.assert_close(network(images), expected, rtol=1e-10, atol=1e-10)


class PlainPreActivation(nn.Module):
    """He et al. (2016), ResNet-164: a 1x1 convolution where the width changes."""

    def __init__(self, n: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.functions = nn.ModuleList()
        self.shortcuts = nn.ModuleList()
        inputs = width
        for stage in range(3):
            for within in range(n):
                inner, stride = width * 2**stage, 2 if stage and not within else 1
                outputs = 4 * inner
                layers: list[nn.Module] = []
                for kernel, enters, leaves, step in (
                    (1, inputs, inner, 1),
                    (3, inner, inner, stride),
                    (1, inner, outputs, 1),
                ):
                    conv = nn.Conv2d(enters, leaves, kernel, step, kernel // 2, bias=False)
                    layers += [nn.BatchNorm2d(enters), nn.ReLU(), conv]
                self.functions.append(nn.Sequential(*layers))
                projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                if inputs == width:
                    self.shortcuts.append(
                        nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), projection)
                    )
                else:
                    self.shortcuts.append(projection if within == 0 else nn.Identity())
                inputs = outputs
        self.head = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.classifier = nn.Linear(inputs, 10)

    def forward(self, images: Tensor) -> Tensor:
        state = self.stem(images)
        for function, shortcut in zip(self.functions, self.shortcuts, strict=True):
            state = shortcut(state) + function(state)
        logits: Tensor = self.classifier(self.head(state).flatten(1))
        return logits


def test_alpha_one_beta_one_is_the_plain_bottleneck_network() -> None:
    network, plain = build("preresnet", depth=20, width=4), PlainPreActivation(2, 4)
    assert parameters(plain) == parameters(network)
    plain.stem.load_state_dict(network.stem.state_dict())
    for block, function, shortcut in zip(
        network.blocks, plain.functions, plain.shortcuts, strict=True
    ):
        assert isinstance(block.function, BottleneckFunction)
        for index, name in enumerate(("norm1", "conv1", "norm2", "conv2", "norm3", "conv3")):
            # A ReLU follows each norm.
            at = index + (index + 1) // 2
            function[at].load_state_dict(getattr(block.function, name).state_dict())
        if isinstance(shortcut, nn.Sequential):
            shortcut[0].load_state_dict(block.projection_norm.state_dict())
            shortcut[2].load_state_dict(block.projections[0].state_dict())
        elif isinstance(shortcut, nn.Conv2d):
            shortcut.load_state_dict(block.projections[0].state_dict())
    plain.head[0].load_state_dict(network.norm.state_dict())
    plain.classifier.load_state_dict(network.classifier.state_dict())
    images = noise(4, 3, 16, 16)
    torch.testing.assert_close(network(images), plain(images))  # in training mode


@pytest.mark.parametrize("name", ["preresnet", "lm_resnet", "zerosnet", "tm_resnet"])
def test_bottleneck_gradients_reach_every_parameter(name: str) -> None:
    network = build(name, depth=20, width=3)
    with torch.autocast("cpu", torch.bfloat16):
        images = noise(8, 3, 9, 13).contiguous(memory_format=torch.channels_last)
        logits = network(images)
    functional.cross_entropy(logits.float(), torch.arange(8)).backward()
    assert_every_parameter_has_a_gradient(network)


def test_every_bottleneck_state_has_the_shape_of_its_stage() -> None:
    network = build("zerosnet", depth=20, width=2)
    shapes = [tuple(state.shape) for state in network.states(noise(2, 3, 9, 13))]
    first, second, third = [(2, 8, 9, 13)], [(2, 16, 5, 7)], [(2, 32, 3, 4)]
    assert shapes == [(2, 2, 9, 13), *first * 2, *second * 2, *third * 2]


def test_bottleneck_initialisation_is_he_normal_by_fan_out() -> None:
    block = build("zerosnet", depth=11, width=64).blocks[2]
    for conv, fan_out in (
        (block.function.conv1, 256),
        (block.function.conv2, 9 * 256),
        (block.function.conv3, 1024),
        (block.projections[0], 1024),
    ):
        assert conv.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)


# Identity and options.


def config(**model: Any) -> RunConfig:
    return RunConfig.model_validate(
        {"model": {"name": "zerosnet", **model}, "dataset": "cifar100", "seed": 0}
    )


def test_basic_blocks_keep_their_run_ids() -> None:
    for model in ({"depth": 164}, {"depth": 164, "block": "basic"}, {"depth": 164, "block": None}):
        basic = config(**model)
        assert "block" not in basic.to_json()["model"]
        assert basic.run_id == config(depth=164).run_id
    bottleneck = config(depth=164, block="bottleneck")
    assert bottleneck.to_json()["model"]["block"] == "bottleneck"
    assert bottleneck.run_id != config(depth=164).run_id
    assert RunConfig.model_validate(bottleneck.to_json()).run_id == bottleneck.run_id
    # The pinned run ids of tests/trainers/config/test_run.py are of basic blocks, too.


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (
            {"depth": 112, "block": "bottleneck"},
            "depth 112 is not 9n [+] 2 .* with bottleneck blocks; the nearest are 110 and 119",
        ),
        ({"depth": 0, "block": "bottleneck"}, "the nearest are 11 and 20"),
        ({"depth": 11}, "depth 11 is not 6n [+] 2 for a whole n >= 1; the nearest are 8 and 14"),
        ({"depth": 164, "block": "wide"}, "block 'wide' is neither basic nor bottleneck"),
        (
            {"depth": 11, "block": "bottleneck", "start_blocks": 4},
            "the network 3 blocks.*choose depth 20 or more",
        ),
        (
            {"depth": 20, "block": "bottleneck", "stage_change": "restart"},
            "each stage 2 blocks.*choose depth 29 or more",
        ),
    ],
    ids=str,
)
def test_bottleneck_option_errors_name_what_is_wrong(model: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        config(**model)


@pytest.mark.parametrize("name", ["zerosnet", "lm_resnet"])
def test_a_continued_bottleneck_run_is_bit_identical(
    small: Small, tmp_path: Path, name: str
) -> None:
    given_config = small(
        model={"name": name, "depth": 20, "width": 2, "block": "bottleneck"},
        training={"epochs": 2, "batch_size": 64},
    )
    whole = assert_continued_run_is_identical(given_config, tmp_path)
    assert not whole["diverged"]
    assert whole["epochs"][1]["train_loss"] < whole["epochs"][0]["train_loss"]
