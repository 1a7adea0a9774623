"""HO-ResNet: depth, counts, the recurrence, the multistep networks that it must equal."""

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
from trainers.methods.runge_kutta import Tableau
from trainers.methods.scheme_config import SchemeConfig
from trainers.models import MODELS
from trainers.models.counting import count
from trainers.models.ho_resnet.network import HighOrderNetwork, RungeKuttaBlock
from trainers.models.multistep.network import MultistepNetwork
from trainers.run import run

Small = Callable[..., dict[str, Any]]

HO_RESNET, PRERESNET = MODELS["ho_resnet"], MODELS["preresnet"]
EULER_SCHEME = SchemeConfig.model_validate({"alpha": 1})

THREE_STAGES = {"a": [[], ["1/2"], [-1, 2]], "b": ["1/6", "2/3", "1/6"]}
# Three of Euler's steps of size 1 in one step.
CHAIN = {"a": [[], [1], [1, 1]], "b": [1, 1, 1]}


def completed(**options: Any) -> Any:
    given_options = HO_RESNET.options.model_validate({"name": "ho_resnet", **options})
    return HO_RESNET.complete(given_options, None)


def build(*, channels: int = 3, classes: int = 10, seed: int = 0, **options: Any) -> Any:
    network = HO_RESNET.build(
        completed(**options),
        None,
        channels=channels,
        classes=classes,
        generator=torch.Generator().manual_seed(seed),
    )
    assert isinstance(network, HighOrderNetwork)
    return network


def preresnet(*, seed: int = 0, **options: Any) -> Any:
    given_options = PRERESNET.options.model_validate({"name": "preresnet", **options})
    network = PRERESNET.build(
        PRERESNET.complete(given_options, EULER_SCHEME),
        EULER_SCHEME,
        channels=3,
        classes=10,
        generator=torch.Generator().manual_seed(seed),
    )
    assert isinstance(network, MultistepNetwork)
    return network


# Counts and depths.

methods = st.sampled_from(["euler", "midpoint", "heun", "rk4", THREE_STAGES, CHAIN])


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `build` for any kind of step, up to two in a stage."""
    method, shared = draw(methods), draw(st.booleans())
    evaluations = completed_stages(method)
    spared = 4 * (evaluations - 1) if shared else 0
    return {
        "tableau": method,
        "weights": "shared" if shared else "own",
        "depth": 6 * evaluations * draw(st.integers(1, 2)) + 2 - spared,
        "width": draw(st.integers(1, 5)),
        "channels": draw(st.integers(1, 3)),
        "classes": draw(st.integers(2, 12)),
    }


def completed_stages(method: Any) -> int:
    named = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}
    return named[method] if isinstance(method, str) else len(method["b"])


@settings(max_examples=25, deadline=None)
@given(networks(), st.integers(8, 13))
def test_ho_resnet_depth_counts_the_layers_an_image_passes(
    arguments: dict[str, Any], size: int
) -> None:
    network = build(**arguments)
    channels = arguments.pop("channels")
    del arguments["classes"]
    layers = 0

    def convolved(module: Any, _: Any, output: Tensor) -> None:
        nonlocal layers
        layers += module.kernel_size == (3, 3)

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(convolved)
    network(noise(2, channels, size, size)).sum().backward()
    assert completed(**arguments).depth == layers + 1  # the classifier
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(("method", "depth"), [("midpoint", 26), ("heun", 110), ("rk4", 50)])
def test_ho_resnet_with_own_weights_has_the_parameters_of_preresnet(
    method: str, depth: int
) -> None:
    """With as many evaluations of f: the comparison that the HO-ResNet paper makes."""
    ours = completed(tableau=method, depth=depth)
    theirs = PRERESNET.options.model_validate({"name": "preresnet", "depth": depth})
    for classes in (10, 100):
        image = {"channels": 3, "classes": classes, "size": 32}
        found = count(HO_RESNET, ours, None, **image)
        expected = count(PRERESNET, theirs, EULER_SCHEME, **image)
        assert found.parameters == expected.parameters
        assert found.multiply_adds == expected.multiply_adds


@pytest.mark.parametrize(("method", "depth"), [("midpoint", 34), ("rk4", 62), (THREE_STAGES, 48)])
def test_ho_resnet_with_shared_weights_has_as_many_as_preresnet_of_its_blocks(
    method: Any, depth: int
) -> None:
    ours = completed(tableau=method, depth=depth, weights="shared")
    assert len(build(tableau=method, depth=depth, weights="shared", width=1).blocks) == 9
    counts = count(HO_RESNET, ours, None, channels=3, classes=10, size=32)
    assert counts.parameters == 272_282
    evaluations = completed_stages(method)
    assert depth == 2 + 2 * (9 * evaluations - 2 * (evaluations - 1))


# What the steps compute.


def residual(f: Any, state: Tensor, stride: int, statistics: Any = None) -> Tensor:
    """BN-ReLU-conv-BN-ReLU-conv from the weights themselves, in evaluation mode."""
    first, second = statistics or (f.norm1, f.norm2)

    def normed(x: Tensor, norm: Any, seen: Any) -> Tensor:
        return functional.batch_norm(
            x, seen.running_mean, seen.running_var, norm.weight, norm.bias
        ).relu()

    inner = normed(state, f.norm1, first)
    inner = functional.conv2d(inner, f.conv1.weight, stride=stride, padding=1)
    return functional.conv2d(normed(inner, f.norm2, second), f.conv2.weight, padding=1)


@pytest.mark.parametrize(
    "method", ["midpoint", "heun", "rk4", THREE_STAGES, CHAIN, {"a": [[], [0.25]], "b": [0.5, -2]}]
)
@pytest.mark.parametrize("weights", ["own", "shared"])
def test_the_ho_resnet_forward_pass_is_the_runge_kutta_recurrence(
    method: Any, weights: str
) -> None:
    written = {"rk4": ([[], [0.5], [0, 0.5], [0, 0, 1]], [1 / 6, 1 / 3, 1 / 3, 1 / 6])} | {
        "midpoint": ([[], [0.5]], [0, 1]),
        "heun": ([[], [1]], [0.5, 0.5]),
    }
    if isinstance(method, str):
        a, b = written[method]
    else:
        tableau = Tableau.of(method["a"], method["b"])
        a, b = [list(map(float, row)) for row in tableau.a], [float(x) for x in tableau.b]
    evaluations, n = len(b), 2
    depth = 6 * evaluations * n + 2 - (4 * (evaluations - 1) if weights == "shared" else 0)
    network = build(tableau=method, weights=weights, depth=depth, width=3).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 8, 8).double()
    with torch.no_grad():
        state = functional.conv2d(images, network.stem.weight, padding=1)
        expected = [state]
        for index, block in enumerate(network.blocks):
            crosses = index in (n, 2 * n)
            k = [residual(block.functions[0], state, 2 if crosses else 1)]
            if crosses:
                state = functional.conv2d(state, block.projection.weight, stride=2)
            if crosses and weights == "shared":
                state = state + k[0]
            else:
                for i in range(1, evaluations):
                    at = state.clone()
                    for j, weight in enumerate(a[i][:i]):
                        at += weight * k[j]
                    if weights == "own":
                        k.append(residual(block.functions[i], at, 1))
                    else:
                        f = block.functions[0]
                        seen = (f.statistics1[i - 1], f.statistics2[i - 1])
                        k.append(residual(f, at, 1, seen))
                state = state + sum(b[i] * k[i] for i in range(evaluations))
            expected.append(state)
        found = list(network.states(images))
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
        norm = network.norm
        out = functional.batch_norm(
            state, norm.running_mean, norm.running_var, norm.weight, norm.bias
        )
        logits = network.classifier(out.relu().mean(dim=(2, 3)))
        torch.testing.assert_close(network(images), logits, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_ho_resnet_with_euler_is_bit_identical_to_preresnet(precision: str) -> None:
    ours, theirs = (
        build(tableau="euler", depth=14, width=4, seed=5),
        preresnet(depth=14, width=4, seed=5),
    )
    weights = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in weights)
    images, labels = noise(8, 3, 16, 16), torch.arange(8)
    for network in (ours, theirs):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = network(images)
        functional.cross_entropy(logits.float(), labels).backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in weights)
    states = zip(ours.eval().states(images), theirs.eval().states(images), strict=True)
    assert all(torch.equal(a, b) for a, b in states)
    assert torch.equal(ours(images), theirs(images))


def test_ho_resnet_with_euler_trains_like_preresnet(small: Small) -> None:
    kinds = {"euler": {"name": "ho_resnet", "tableau": "euler"}, "preresnet": {"name": "preresnet"}}
    epochs = {}
    for name, model in kinds.items():
        config = small(
            model={**model, "depth": 8, "width": 4}, training={"epochs": 2, "batch_size": 64}
        )
        found = run(config, [], data_dir=Path("/nonexistent"))["epochs"]
        epochs[name] = [(e["train_loss"], e["test_loss"], e["test_accuracy"]) for e in found]
    assert epochs["euler"] == epochs["preresnet"]


def test_a_tableau_of_euler_steps_equals_preresnet_blocks() -> None:
    """y + k_1 + k_2 + k_3, with k_i at what the ones before it have made, is three blocks."""
    ours, theirs = build(tableau=CHAIN, depth=38, width=4), preresnet(depth=38, width=4)
    blocks = iter(theirs.blocks)
    for step in ours.blocks:
        for function in step.functions:
            block = next(blocks)
            block.function.load_state_dict(function.state_dict())
            if block.projections:
                block.projections[0].load_state_dict(step.projection.state_dict())
    for name in ("stem", "norm", "classifier"):
        getattr(theirs, name).load_state_dict(getattr(ours, name).state_dict())
    images = noise(4, 3, 16, 16)
    assert torch.equal(ours(images), theirs(images))  # in training mode


@pytest.mark.parametrize("weights", ["own", "shared"])
def test_ho_resnet_evaluates_with_its_training_statistics(weights: str) -> None:
    """Of every evaluation of f, though they share its weights."""
    depth = 26 if weights == "own" else 38
    network = build(tableau="rk4", weights=weights, depth=depth, width=4).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # the last batch alone
    images = noise(256, 3, 16, 16).double()
    with torch.no_grad():
        in_training = network(images)
        in_evaluation = network.eval()(images)
    # But for n - 1 in the variances, of 4096 values each or more.
    torch.testing.assert_close(in_evaluation, in_training, rtol=0.005, atol=0.005)


def test_ho_resnet_gradients_reach_every_parameter() -> None:
    for method, weights in (("rk4", "own"), ("rk4", "shared"), ("midpoint", "own")):
        depth = {"rk4": {"own": 26, "shared": 38}, "midpoint": {"own": 14}}[method][weights]
        network = build(tableau=method, weights=weights, depth=depth, width=3)
        assert_gradients_reach_every_parameter(network)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (3, 9, 13)])
def test_every_ho_resnet_state_has_the_shape_of_its_stage(shape: tuple[int, int, int]) -> None:
    network = build(tableau="heun", depth=26, width=2, channels=shape[0])
    images = noise(2, *shape)
    sizes = [shape[1:]]
    for _ in range(2):
        sizes.append(tuple((pixels + 1) // 2 for pixels in sizes[-1]))
    stages = [0, 0, 0, 1, 1, 2, 2]  # the stem, and two steps a stage
    expected = [(2, 2 * 2**stage, *sizes[stage]) for stage in stages]
    assert [tuple(state.shape) for state in network.states(images)] == expected
    assert network(images).shape == (2, 10)


def test_ho_resnet_in_bf16_does_not_round_coefficients() -> None:
    network = build(tableau={"a": [[]], "b": [0.825]}, depth=8, width=4)
    block = network.blocks[0]
    assert isinstance(block, RungeKuttaBlock)
    with torch.autocast("cpu", torch.bfloat16):
        state = noise(2, 4, 8, 8).bfloat16()
        slope = block.functions[0](state)
        assert slope.dtype == torch.bfloat16
        # 0.825 in bf16 is 0.82421875: another method.
        scaled = (slope.double() * 0.825).bfloat16()
        assert torch.equal(block(state), state + scaled)
        assert not torch.equal(scaled, slope * torch.tensor(0.825).bfloat16())
        logits = network(noise(2, 3, 8, 8).contiguous(memory_format=torch.channels_last))
    assert logits.isfinite().all()


def test_ho_resnet_initialisation_depends_only_on_its_generator() -> None:
    torch.manual_seed(1)
    first = build(depth=26, width=4, seed=5).state_dict()
    torch.manual_seed(2)
    second = build(depth=26, width=4, seed=5).state_dict()
    other = build(depth=26, width=4, seed=6).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    # He-normal by fan-out, for later evaluations too.
    weight = build(depth=26, width=64).blocks[2].functions[3].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)


# Training.


@pytest.mark.parametrize("weights", ["own", "shared"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_continued_ho_resnet_run_is_bit_identical(
    small: Small, tmp_path: Path, weights: str, precision: str
) -> None:
    config = small(
        model={"name": "ho_resnet", "tableau": "heun", "weights": weights, "width": 3}
        | {"depth": 14 if weights == "own" else 22},
        training={"epochs": 2, "batch_size": 64},
        precision=precision,
    )
    whole = assert_continued_run_is_identical(config, tmp_path)
    assert not whole["diverged"]
    assert whole["learned_coefficients"] is None
    assert whole["epochs"][1]["train_loss"] < whole["epochs"][0]["train_loss"]


# Options.


def config(**model: Any) -> RunConfig:
    return RunConfig.model_validate(
        {"model": {"name": "ho_resnet", **model}, "dataset": "cifar10", "seed": 0}
    )


def test_equivalent_tableaux_have_one_run_id() -> None:
    written = {
        "a": [[0, 0, 0, 0], [0.5], [0, "1/2"], [0, 0, 1]],
        "b": [1 / 6, "1/3", 1 / 3, "1/6"],
    }
    default = config(depth=26)
    assert default.run_id == config(depth=26, tableau="rk4").run_id
    assert default.run_id == config(depth=26, tableau=written).run_id
    assert default.to_json()["model"] == {
        "name": "ho_resnet",
        "depth": 26,
        "width": 16,
        "tableau": "rk4",
        "weights": "own",
    }
    assert "scheme" not in default.to_json()
    others = [{"tableau": "midpoint"}, {"tableau": "heun"}, {"tableau": CHAIN, "depth": 38}]
    others += [{"depth": 38, "weights": "shared"}, {"depth": 50}]
    ids = {default.run_id} | {config(**{"depth": 26, **other}).run_id for other in others}
    assert len(ids) == 6


def test_an_unnamed_tableau_is_stored_as_full_rows_of_floats() -> None:
    unnamed = config(depth=20, tableau=THREE_STAGES)
    assert unnamed.to_json()["model"]["tableau"] == {
        "a": [[0, 0, 0], [0.5, 0, 0], [-1, 2, 0]],
        "b": [1 / 6, 2 / 3, 1 / 6],
    }
    again = RunConfig.model_validate(unnamed.to_json())
    assert again.run_id == unnamed.run_id
    assert again == unnamed


def test_shared_weights_make_no_difference_for_one_stage() -> None:
    assert config(depth=8, tableau="euler", weights="shared").run_id == (
        config(depth=8, tableau="euler").run_id
    )


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        ({"depth": 20}, "depth 20 is not 24n [+] 2 .* f 4 times; the nearest are 26 and 50"),
        ({"depth": 2, "tableau": "heun"}, "the nearest are 14 and 26"),
        ({"depth": 15, "tableau": "euler"}, "depth 15 is not 6n [+] 2 .* f once; .* 14 and 20"),
        (
            {"depth": 26, "weights": "shared"},
            "depth 26 is not 24n - 10 .* share their weights; the nearest are 14 and 38",
        ),
        ({"depth": 26, "tableau": "rk5"}, "unknown tableau 'rk5'; did you mean 'rk4'"),
        ({"depth": 26, "tableau": 4}, "4 is not a tableau: a tableau is one of euler, .*, or {a"),
        ({"depth": 26, "tableau": {"a": [[]]}}, "tableau.b\n.*Field required"),
        ({"depth": 26, "tableau": {"a": [[]], "b": [1], "c": [0]}}, "tableau.c\n.*not permitted"),
        ({"depth": 26, "tableau": {"a": [[1]], "b": [1]}}, "row 1 of a has 1 in column 1"),
        ({"depth": 26, "tableau": {"a": [[]], "b": [0]}}, "no later stage uses it"),
        ({"depth": 26, "tableau": {"a": [[]], "b": [float("nan")]}}, "tableau.b.0\n"),
        ({"depth": 26, "tableau": {"a": [[]], "b": ["1/0"]}}, "'1/0' divides by zero"),
        ({"depth": 26, "tableau": {"a": [[]] * 33, "b": [1] * 33}}, "at most 32 items"),
        ({"depth": 26, "weights": "tied"}, "'own' or 'shared'"),
    ],
    ids=str,
)
def test_ho_resnet_option_errors_name_what_is_wrong(model: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        config(**model)


def test_ho_resnet_takes_no_scheme(small: Small) -> None:
    wrong = small(model={"name": "ho_resnet", "depth": 26}, scheme={"lambda": 1})
    with pytest.raises(ValidationError, match="ho_resnet is no linear multistep method"):
        RunConfig.model_validate(wrong)
