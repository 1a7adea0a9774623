"""The body for ImageNet's images: torchvision's networks, the recurrence, counts, options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

from small_networks import (
    assert_continued_run_is_identical,
    assert_gradients_reach_every_parameter,
    build,
    completed,
    noise,
    normed,
    parameters,
    resolved,
    scramble,
)
from trainers.config.run import RunConfig
from trainers.models.counting import count

Small = Callable[..., dict[str, Any]]

IMAGENET = {"body": "imagenet"}
STAGES = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3]}


def imagenet(name: str, scheme: dict[str, Any] | None = None, **options: Any) -> Any:
    return build(name, scheme, **IMAGENET, **options)


def full_size(name: str, **options: Any) -> int:
    """Parameters of the network for ImageNet's classes, with the default scheme."""
    with torch.device("meta"):
        return parameters(imagenet(name, classes=1000, **options))


# torchvision's networks.


# Of 50 layers always; torchvision's networks are made in full width, which takes long.
DEPTHS = [50, *(pytest.param(depth, marks=pytest.mark.long) for depth in (18, 34, 101))]


@pytest.mark.parametrize("depth", DEPTHS)
def test_resnets_are_torchvisions_to_the_bit(depth: int) -> None:
    theirs = getattr(torchvision.models, f"resnet{depth}")(num_classes=10)
    scramble(theirs)
    ours = imagenet("resnet", depth=depth)
    weights = dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True))
    ours.load_state_dict(weights)
    images, labels = noise(2, 3, 64, 64), torch.tensor([1, 2])
    for training in (False, True):
        logits = [network.train(training)(images) for network in (ours, theirs)]
        assert torch.equal(*logits)
        for found in logits:
            functional.cross_entropy(found, labels).backward()
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine.grad, other.grad), name
    statistics = zip(ours.buffers(), theirs.buffers(), strict=True)
    assert all(torch.equal(mine, other) for mine, other in statistics)


@pytest.mark.parametrize(
    ("depth", "documented"),
    # As torchvision documents them.
    [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160), (152, 60_192_808)],
)
def test_resnets_have_torchvisions_counts(depth: int, documented: int) -> None:
    assert full_size("resnet", depth=depth) == documented


def test_multiply_adds_of_resnet_50_are_those_of_the_literature() -> None:
    # torchvision documents 4.09 thousand million; the classifier, two million, is not counted.
    architecture, options, _ = resolved("resnet", None, {"depth": 50, **IMAGENET})
    planned = count(architecture, options, None, channels=3, classes=1000, size=224)
    assert planned.parameters == 25_557_032
    assert planned.multiply_adds / 1e9 == pytest.approx(4.087, abs=0.001)


# PreResNet, ZeroSNet, LM-ResNet.


def preactivated_count(depth: int, *, final_norm: bool = False, older: int = 0) -> int:
    """Layer by layer: a norm before each convolution; the stem's own; `older` raw projections of
    each stage but the first.
    """
    bottleneck = depth >= 50
    total, inputs = 3 * 49 * 64 + 2 * 64, 64
    for stage, number in enumerate(STAGES[depth]):
        inner = 64 * 2**stage
        outputs = 4 * inner if bottleneck else inner
        for _ in range(number):
            if bottleneck:
                total += 2 * inputs + inputs * inner + 2 * inner + 9 * inner * inner
                total += 2 * inner + inner * outputs
            else:
                total += 2 * inputs + 9 * inputs * inner + 2 * inner + 9 * inner * inner
            if inputs != outputs:
                total += inputs * outputs * (1 + (older if stage else 0))
            inputs = outputs
    return total + (2 * inputs if final_norm else 0) + 1001 * inputs - inputs + 1000


@pytest.mark.parametrize(
    ("name", "depth", "expected"),
    [
        ("preresnet", 18, 11_686_824),
        ("preresnet", 34, 21_794_984),
        ("preresnet", 50, 25_545_384),
        ("zerosnet", 18, 12_030_888),
        ("zerosnet", 34, 22_139_048),
        ("zerosnet", 50, 31_050_408),
    ],
)
def test_counts_of_preresnet_and_zerosnet_follow_from_their_layers(
    name: str, depth: int, expected: int
) -> None:
    older = 2 if name == "zerosnet" else 0
    assert preactivated_count(depth, older=older) == expected
    assert full_size(name, depth=depth) == expected


@pytest.mark.parametrize(
    ("depth", "learned"),
    # k_n of every block but the start blocks, of which a restart makes one in each stage.
    [(50, {"restart": 12, "project": 15}), (101, {"restart": 29, "project": 32})],
)
def test_counts_of_lm_resnet_follow_from_its_layers(depth: int, learned: dict[str, int]) -> None:
    for stage_change, older in (("restart", 0), ("project", 1)):
        plain = preactivated_count(depth, final_norm=True, older=older)
        found = full_size("lm_resnet", depth=depth, stage_change=stage_change)
        assert found == plain + learned[stage_change]


def stride_of(block: Any) -> int:
    return max(conv.stride[0] for conv in block.function.convolutions)


def multistep_states(
    network: Any, alpha: list[float], beta: float, images: Tensor, *, start: int, restart: bool
) -> list[Tensor]:
    """Every state by the scheme's formula, from the weights themselves."""
    stem = network.stem
    state = functional.conv2d(images, stem.conv.weight, stride=2, padding=3)
    state = normed(state, stem.activation[0]).clamp(min=0)
    states = [functional.max_pool2d(state, 3, 2, 1)]
    seen = [states[0]]
    steps = 0
    for block in network.blocks:
        stride = stride_of(block)
        inner = newest = normed(states[-1], block.function.activations[0].norm).clamp(min=0)
        for place, conv in enumerate(block.function.convolutions):
            if place:
                inner = normed(inner, block.function.activations[place].norm).clamp(min=0)
            padding = conv.weight.shape[-1] // 2
            inner = functional.conv2d(inner, conv.weight, stride=conv.stride, padding=padding)
        if stride == 2 and restart:
            steps = 0
        if len(block.projections):
            older = [
                state if isinstance(layer, nn.Identity) else normed(state, layer.norm).clamp(min=0)
                for state, layer in zip(states[-2::-1], block.older_activations, strict=False)
            ]
            states = [
                functional.conv2d(state, projection.weight, stride=stride)
                for state, projection in zip([newest, *older], block.projections, strict=True)
            ][::-1]
        if steps < start:
            new = states[-1] + inner
        else:
            new = beta * inner + sum(a * states[-1 - j] for j, a in enumerate(alpha))
        states.append(new)
        seen.append(new)
        steps += 1
    return seen


# Dyadic, so that float32 holds them exactly.
DYADIC = {1: ([0.875], 1.25), 2: ([0.625, 0.25], 1.5), 3: ([0.75, -0.5, 0.625], 1.125)}


@pytest.mark.parametrize("options", [
    {"depth": 18},
    {"depth": 50},
    {"depth": 34, "old_states": "preactivated", "final_norm": True},
    {"depth": 50, "stage_change": "restart", "start_blocks": 2},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("steps", DYADIC)
def test_the_forward_pass_is_the_recurrence(steps: int, options: dict[str, Any]) -> None:
    alpha, beta = DYADIC[steps]
    start = options.get("start_blocks", steps - 1)
    network = imagenet("zerosnet", {"alpha": alpha, "beta": beta}, width=4, **options).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 40, 33).double()
    restart = options.get("stage_change") == "restart"
    with torch.no_grad():
        expected = multistep_states(network, alpha, beta, images, start=start, restart=restart)
        found = list(network.states(images))
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
        last = expected[-1]
        if options.get("final_norm"):
            last = normed(last, network.activation.norm).clamp(min=0)
        logits = last.mean(dim=(2, 3)) @ network.classifier.weight.T + network.classifier.bias
        torch.testing.assert_close(network(images), logits, rtol=1e-10, atol=1e-10)


def test_zerosnet_starts_with_two_euler_blocks_and_carries_three_states() -> None:
    blocks = imagenet("zerosnet", depth=18, width=2).blocks
    assert [block.coefficients is None for block in blocks] == [True] * 2 + [False] * 6
    assert [len(block.projections) for block in blocks] == [0, 0, 3, 0, 3, 0, 3, 0]
    assert blocks[2].coefficients.coefficients == pytest.approx((1 / 3, 5 / 9, 1 / 9, 16 / 9))
    deeper = [len(block.projections) for block in imagenet("zerosnet", depth=50, width=2).blocks]
    assert [place for place, number in enumerate(deeper) if number] == [0, 3, 7, 13]
    assert [deeper[place] for place in (0, 3, 7, 13)] == [1, 3, 3, 3]


def test_a_restart_carries_one_state_and_takes_an_euler_step_in_each_stage() -> None:
    blocks = imagenet("lm_resnet", depth=50, width=2).blocks
    first = [0, 3, 7, 13]
    assert [place for place, block in enumerate(blocks) if block.coefficients is None] == first
    assert [len(blocks[place].projections) for place in first] == [1, 1, 1, 1]


# Newton-ResNet.


def test_newton_resnet_50_has_the_inferred_projections() -> None:
    weights, norms = 0, 0
    for stage, number in enumerate(STAGES[50]):
        inner = 64 * 2**stage
        inputs = 64 if stage == 0 else 2 * inner
        for _ in range(number):
            weights += inputs * inner + inner * 4 * inner
            norms += 2 * 4 * inner
            inputs = 4 * inner
    # The first figure is in keeping with the size that Table 6 prints; an alpha in each block.
    assert (weights, norms) == (9_359_360, 30_208)
    plain = full_size("resnet", depth=50)
    for activation in ("relu", "none"):
        newton = full_size("newton_resnet", depth=50, activation=activation)
        assert newton == plain + weights + norms + 16


@pytest.mark.parametrize("activation", ["relu", "none"])
@pytest.mark.parametrize(
    "options", [{}, {"x_proj": 2, "lin_proj": 2, "norm_1": "batch"}, {"tanh": "always"}], ids=str
)
def test_a_newton_bottleneck_multiplies_at_the_inner_width(
    activation: str, options: dict[str, Any]
) -> None:
    network = imagenet("newton_resnet", depth=50, width=2, activation=activation, **options)
    network.double().eval()
    scramble(network)

    def phi(x: Tensor) -> Tensor:
        return x.clamp(min=0) if activation == "relu" else x

    def through(state: Tensor, layers: Any) -> Tensor:
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                stride = layer.stride[0]
                sampled = state[:, :, ::stride, ::stride]
                state = torch.einsum("oc,nchw->nohw", layer.weight[:, :, 0, 0], sampled)
            elif isinstance(layer, nn.BatchNorm2d):
                state = normed(state, layer)
        return state

    with torch.no_grad():
        for index, block in enumerate(network.blocks):
            block.alpha.fill_(0.5 + index / 8)
            # Of its own, since without activations states grow with every block.
            state = noise(2, block.conv1.in_channels, 5, 6, seed=index).double()
            inner = phi(through(state, [block.conv1, block.norm1]))
            stride = block.conv2.stride[0]
            inner = functional.conv2d(inner, block.conv2.weight, stride=stride, padding=1)
            inner = phi(normed(inner, block.norm2))
            slope = through(inner, [block.conv3, block.norm3])
            product = through(state, block.normalisation1) * inner
            if options.get("tanh"):
                product = product.tanh()
            second = through(product, block.normalisation2)
            expected = phi(through(state, block.shortcut) + slope + block.alpha * second)
            torch.testing.assert_close(block(state), expected, rtol=1e-10, atol=1e-10)


def test_the_stem_of_a_newton_resnet_has_its_activation_or_none() -> None:
    images = noise(2, 3, 17, 20).double()
    for activation in ("relu", "none"):
        stem = imagenet("newton_resnet", depth=50, width=2, activation=activation).stem.double()
        scramble(stem.eval())
        state = functional.conv2d(images, stem.conv.weight, stride=2, padding=3)
        state = normed(state, stem.activation[0])
        state = state.clamp(min=0) if activation == "relu" else state
        torch.testing.assert_close(stem(images), functional.max_pool2d(state, 3, 2, 1))


@pytest.mark.parametrize("depth", [18, 50])
def test_newton_resnet_with_alpha_0_is_the_resnet(depth: int) -> None:
    newton = imagenet("newton_resnet", depth=depth, width=4)
    plain = imagenet("resnet", depth=depth, width=4)
    missing = plain.load_state_dict(newton.state_dict(), strict=False)
    assert missing.missing_keys == []
    images = noise(4, 3, 40, 40)
    with torch.no_grad():
        assert torch.equal(newton(images), plain(images))


# All of them.

EVERY: list[tuple[str, dict[str, Any]]] = [
    ("preresnet", {"depth": 18}),
    ("zerosnet", {"depth": 18}),
    ("zerosnet", {"depth": 50, "old_states": "preactivated"}),
    ("lm_resnet", {"depth": 50}),
    ("lm_resnet", {"depth": 50, "stage_change": "project"}),
    ("tm_resnet", {"depth": 18}),
    ("resnet", {"depth": 18}),
    ("newton_resnet", {"depth": 50, "initial_alpha": 0.5}),
    ("newton_resnet", {"depth": 18, "initial_alpha": 0.5}),
]


@pytest.mark.parametrize(("name", "options"), EVERY, ids=str)
def test_gradients_reach_every_parameter_and_a_planned_network_is_the_built_one(
    name: str, options: dict[str, Any]
) -> None:
    network = imagenet(name, width=8, **options)
    assert_gradients_reach_every_parameter(network, size=40)
    architecture, chosen, scheme = resolved(name, None, {**IMAGENET, "width": 8, **options})
    planned = count(architecture, chosen, scheme, channels=3, classes=10, size=40)
    assert planned.parameters == parameters(network)


@pytest.mark.parametrize("name", ["zerosnet", "resnet", "newton_resnet"])
def test_one_small_image_can_be_trained_on(name: str) -> None:
    """It leaves one pixel a channel, which has no variance."""
    network = imagenet(name, depth=18, width=8)
    logits = network.train()(noise(1, 3, 8, 8))
    assert logits.isfinite().all()


def test_weights_depend_on_their_generator_alone() -> None:
    one, same, other = (imagenet("zerosnet", depth=18, width=4, seed=seed) for seed in (0, 0, 1))
    pairs = list(zip(one.state_dict().values(), same.state_dict().values(), strict=True))
    assert all(torch.equal(mine, theirs) for mine, theirs in pairs)
    assert not torch.equal(one.stem.conv.weight, other.stem.conv.weight)


@pytest.mark.parametrize(
    ("name", "options"),
    [EVERY[1], ("lm_resnet", {"depth": 18, "stage_change": "project"})],
    ids=str,
)
def test_a_continued_run_is_bit_identical(
    small: Small, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    config = small(
        model={"name": name, "width": 4, **IMAGENET, **options},
        dataset={"name": "digits", "subset": 33},  # leaves one image for the last batch
        training={"epochs": 2, "batch_size": 32, "optimizer": {"lr": 1e-3}},
    )
    whole = assert_continued_run_is_identical(config, tmp_path)
    assert not whole["diverged"]
    assert whole["parameters"] == RunConfig.model_validate(config).parameters


# Options.


def run_id(small: Small, **model: Any) -> str:
    return RunConfig.model_validate(small(model=model)).run_id


@pytest.mark.parametrize(
    ("name", "given", "same"),
    [
        ("zerosnet", {}, {"width": 64, "old_states": "raw", "final_norm": False}),
        ("lm_resnet", {}, {"stage_change": "restart", "final_norm": True, "start_blocks": 1}),
        # Where no older state is carried, there is nothing to choose.
        ("preresnet", {}, {"old_states": "preactivated"}),
        ("lm_resnet", {"old_states": "raw"}, {"old_states": "preactivated"}),
        ("resnet", {}, {"blocks": [2, 2, 2, 2]}),
    ],
)
def test_defaults_written_out_are_the_same_run(
    small: Small, name: str, given: dict[str, Any], same: dict[str, Any]
) -> None:
    model = {"name": name, "depth": 18, **IMAGENET}
    assert run_id(small, **model, **given) == run_id(small, **model, **same)


def test_what_differs_has_another_run_id(small: Small) -> None:
    model = {"name": "zerosnet", "depth": 18, **IMAGENET}
    different: list[dict[str, Any]] = [
        {},
        {"old_states": "preactivated"},
        {"final_norm": True},
        {"width": 16},
        {"stage_change": "restart", "start_blocks": 2, "depth": 34},
        {"depth": 34},
    ]
    assert len({run_id(small, **{**model, **one}) for one in different}) == len(different)


@pytest.mark.parametrize("name", ["preresnet", "lm_resnet", "zerosnet", "resnet", "newton_resnet"])
def test_completing_is_idempotent_and_no_body_leaves_no_trace(small: Small, name: str) -> None:
    architecture, once, scheme = resolved(name, None, {"depth": 50, **IMAGENET})
    assert architecture.complete(once, scheme) == once
    stored = once.model_dump(mode="json", exclude_none=True)
    assert architecture.complete(architecture.options.model_validate(stored), scheme) == once
    depth = 18 if name == "resnet" or "newton" in name else 20
    without = RunConfig.model_validate(small(model={"name": name, "depth": depth}))
    assert not {"body", "old_states", "final_norm"} & without.to_json()["model"].keys()
    named = RunConfig.model_validate(small(model={"name": name, "depth": depth, "body": None}))
    assert named.run_id == without.run_id


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("zerosnet", {"depth": 20}, "depth 20 is none of 18, 34, 50, 101, 152; the nearest are 18"),
        ("resnet", {"depth": 22}, "depth 22 is none of 18, 34, 50, 101, 152; the nearest are 18"),
        ("newton_resnet", {"depth": 1}, "the nearest are 18 and 34"),
        ("zerosnet", {"depth": 50, "block": "basic"}, "block 'basic' .* leave block out"),
        ("zerosnet", {"depth": 18, "survival": 0.5}, "survival 0.5 .* leave survival out"),
        ("zerosnet", {"depth": 18, "start_blocks": 1}, "start_blocks 1 is too few"),
        ("zerosnet", {"depth": 18, "start_blocks": 8}, "8 are start blocks.* choose depth 34"),
        (
            "zerosnet",
            {"depth": 18, "stage_change": "restart"},
            "each stage at most 2 blocks, of which 2 are start blocks.* choose depth 34",
        ),
        ("zerosnet", {"depth": 18, "old_states": "cooked"}, "'raw' or 'preactivated'"),
        ("resnet", {"blocks": [3, 4, 6, 3]}, "depth"),
        ("resnet", {"depth": 50, "blocks": [1, 1, 1, 1]}, r"where depth 50 has \[3, 4, 6, 3\]"),
        ("newton_resnet", {"depth": 50, "x_proj": 0}, "x_proj 0 .* choose x_proj 1 or more"),
        ("newton_resnet", {"depth": 50, "lin_proj": 0}, "lin_proj 0 .* choose lin_proj 1 or more"),
        ("resnet", {"depth": 18, "body": "cifar"}, "'imagenet'"),
        ("dynamical_resnet", {"depth": 18}, "Extra inputs"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    name: str, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        completed(name, **{**IMAGENET, **options})


@pytest.mark.parametrize("option", [{"old_states": "raw"}, {"final_norm": True}])
def test_options_of_the_body_are_refused_without_it(option: dict[str, Any]) -> None:
    (key,) = option
    with pytest.raises(ValueError, match=f"{key} is an option of body imagenet"):
        completed("zerosnet", depth=20, **option)
