"""The multistep network: counts, the recurrence, gradients, initialisation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from small_networks import assert_gradients_reach_every_parameter, noise, parameters, scramble
from trainers.methods.scheme_config import SchemeConfig
from trainers.models import MODELS
from trainers.models.coefficients import Learned, learned_coefficients
from trainers.models.counting import count
from trainers.models.multistep.layout import multistep_layout
from trainers.models.multistep.network import MultistepNetwork
from trainers.models.network import StandardNetwork
from trainers.rng import seeded_generator
from trainers.training.learned_schemes import block_schemes

Scheme = dict[str, Any]


def build(
    name: str = "zerosnet",
    scheme: Scheme | None = None,
    *,
    channels: int = 3,
    classes: int = 10,
    seed: int = 0,
    **options: Any,
) -> MultistepNetwork:
    architecture = MODELS[name]
    resolved = SchemeConfig.model_validate(
        architecture.default_scheme if scheme is None else scheme
    )
    given_options = architecture.options.model_validate({"name": name, **options})
    network = architecture.build(
        architecture.complete(given_options, resolved),
        resolved,
        channels=channels,
        classes=classes,
        generator=torch.Generator().manual_seed(seed),
    )
    assert isinstance(network, MultistepNetwork)
    return network


def counted(
    name: str = "zerosnet",
    scheme: Scheme | None = None,
    *,
    channels: int = 3,
    classes: int = 10,
    **options: Any,
) -> int:
    """Parameters, as planning has them."""
    architecture = MODELS[name]
    resolved = SchemeConfig.model_validate(
        architecture.default_scheme if scheme is None else scheme
    )
    given_options = architecture.options.model_validate({"name": name, **options})
    completed = architecture.complete(given_options, resolved)
    return count(
        architecture, completed, resolved, channels=channels, classes=classes, size=32
    ).parameters


# Counted by running the ZeroSNet authors' released code; 10 classes.
PUBLISHED_COUNTS = [(20, 277_402), (32, 471_834), (44, 666_266), (56, 860_698), (110, 1_735_642)]


@pytest.mark.parametrize(("depth", "count"), PUBLISHED_COUNTS)
def test_zerosnet_has_the_parameters_of_the_released_code(depth: int, count: int) -> None:
    assert counted(depth=depth) == count
    assert parameters(build(depth=depth)) == count


@pytest.mark.parametrize(("depth", "count"), PUBLISHED_COUNTS)
def test_a_trained_lambda_is_one_scalar_for_each_block_after_the_start(
    depth: int, count: int
) -> None:
    scheme = {"lambda": 1, "trainable": True}
    blocks = (depth - 2) // 2
    assert counted(scheme=scheme, depth=depth) == count + blocks - 2


def test_preresnet_projects_one_state() -> None:
    assert counted("preresnet", depth=20) == 272_282
    assert parameters(build("preresnet", depth=20)) == 272_282


small_numbers = st.floats(-2, 2).map(lambda x: round(x, 3))
any_scheme = st.one_of(
    st.builds(
        lambda alpha, trainable: {"alpha": alpha, "beta": 0.7, "trainable": trainable},
        st.lists(small_numbers, min_size=1, max_size=5),
        st.booleans(),
    ),
    st.just({"k": [-0.1, 0], "trainable": True}),
    st.just({"lambda": 1.5, "trainable": True}),
)


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `build` for any valid combination of options up to depth 26."""
    scheme = draw(any_scheme)
    steps = SchemeConfig.model_validate(scheme).steps
    stage_change = draw(st.sampled_from(["project", "restart"]))
    extra = draw(st.integers(0, 3))
    start_blocks = steps - 1 + extra
    fewest = start_blocks + 1 if stage_change == "restart" else -(-(start_blocks + 1) // 3)
    n = draw(st.integers(min(fewest, 4), 4))
    if n < fewest:  # the extra start blocks do not fit into depth 26
        start_blocks = steps - 1
        n = 4 if stage_change == "restart" else n
        if steps > 4 and stage_change == "restart":
            stage_change = "project"
    return {
        "scheme": scheme,
        "stage_change": stage_change,
        "start_blocks": start_blocks,
        "depth": 6 * n + 2,
        "width": draw(st.integers(1, 5)),
        "channels": draw(st.integers(1, 3)),
        "classes": draw(st.integers(2, 12)),
    }


@settings(max_examples=15, deadline=None)
@given(networks())
def test_multistep_networks_use_every_parameter(arguments: dict[str, Any]) -> None:
    network = build(**arguments)
    logits = network(noise(2, arguments["channels"], 8, 8))
    logits.sum().backward()
    assert logits.shape == (2, arguments["classes"])
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ("name", "scheme", "depth"),
    [
        ("preresnet", {"alpha": 0.9}, 8),
        ("preresnet", {"alpha": [0.9], "beta": 1, "trainable": True}, 8),
        ("lm_resnet", None, 14),
        ("zerosnet", {"lambda": "-9/5"}, 14),
        ("zerosnet", {"lambda": 1, "trainable": True}, 14),
        ("zerosnet", {"alpha": [0.4, 0.3, 0.2, 0.1], "beta": 1.2, "trainable": True}, 14),
        ("tm_resnet", None, 14),
    ],
)
def test_multistep_gradients_reach_every_parameter(
    name: str, scheme: Scheme | None, depth: int
) -> None:
    network = build(name, scheme, depth=depth, width=3)
    assert_gradients_reach_every_parameter(network)


def residual(function: nn.Module, state: Tensor, stride: int) -> Tensor:
    """BN-ReLU-conv-BN-ReLU-conv from the weights themselves, in evaluation mode."""

    def normed(x: Tensor, norm: Any) -> Tensor:
        shift, scale = norm.running_mean, (norm.running_var + 1e-5).sqrt()
        x = (x - shift[:, None, None]) / scale[:, None, None]
        return (x * norm.weight[:, None, None] + norm.bias[:, None, None]).clamp(min=0)

    f: Any = function
    inner = functional.conv2d(normed(state, f.norm1), f.conv1.weight, stride=stride, padding=1)
    return functional.conv2d(normed(inner, f.norm2), f.conv2.weight, padding=1)


def recurrence(
    network: Any, alpha: list[float], beta: float, images: Tensor, *, restart: bool, start: int
) -> Tensor:
    """Logits by the scheme's formula, with every state kept."""
    n = len(network.blocks) // 3
    states = [functional.conv2d(images, network.stem.weight, padding=1)]
    since_start = 0
    for index, block in enumerate(network.blocks):
        crosses = index in (n, 2 * n)
        slope = residual(block.function, states[-1], 2 if crosses else 1)
        if crosses and restart:
            norm = block.projection_norm
            normed = functional.batch_norm(
                states[-1], norm.running_mean, norm.running_var, norm.weight, norm.bias
            )
            weight = block.projections[0].weight
            states = [functional.conv2d(normed.relu(), weight, stride=2)]
            since_start = 0
        elif crosses:
            # The j-th projection is that of the state j steps old.
            states = [
                functional.conv2d(states[-1 - j], projection.weight, stride=2)
                for j, projection in enumerate(block.projections)
            ][::-1]
        if since_start < start:
            new = states[-1] + slope
        else:
            new = beta * slope
            for j, weight in enumerate(alpha):
                new = new + weight * states[-1 - j]
        states.append(new)
        since_start += 1
    norm = network.norm
    out = functional.batch_norm(
        states[-1], norm.running_mean, norm.running_var, norm.weight, norm.bias
    )
    pooled = out.relu().mean(dim=(2, 3))
    return pooled @ network.classifier.weight.T + network.classifier.bias


# Dyadic, so that float32 holds them exactly.
DYADIC = {
    1: ([0.875], 1.25),
    2: ([0.625, 0.25], 1.5),
    3: ([0.75, -0.5, 0.625], 1.125),
    4: ([-0.125, 0.75, 0.625, -0.25], 2.25),
}


@pytest.mark.parametrize("steps", DYADIC)
@pytest.mark.parametrize("stage_change", ["project", "restart"])
@pytest.mark.parametrize("extra_start", [0, 1])
def test_the_multistep_forward_pass_is_the_recurrence(
    steps: int, stage_change: str, extra_start: int
) -> None:
    alpha, beta = DYADIC[steps]
    start = steps - 1 + extra_start
    network = build(
        scheme={"alpha": alpha, "beta": beta},
        depth=32 if stage_change == "restart" else 14,
        width=3,
        stage_change=stage_change,
        start_blocks=start,
    ).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 8, 8).double()
    with torch.no_grad():
        expected = recurrence(
            network, alpha, beta, images, restart=stage_change == "restart", start=start
        )
        torch.testing.assert_close(network(images), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("scheme", "alpha", "beta"),
    [
        ({"k": [0.25, 0.25], "trainable": True}, [0.75, 0.25], 1.0),
        ({"lambda": 0.5, "trainable": True}, [2.25, -2.0, 0.75], 0.5),
        ({"lambda": -2, "trainable": True}, [0.375, 0.5, 0.125], 1.75),
        ({"alpha": [0.5, 0.25], "beta": 0.75, "trainable": True}, [0.5, 0.25], 0.75),
    ],
)
def test_learned_coefficients_follow_their_formulas(
    scheme: Scheme, alpha: list[float], beta: float
) -> None:
    network = build(scheme=scheme, depth=14, width=3).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 8, 8).double()
    with torch.no_grad():
        expected = recurrence(network, alpha, beta, images, restart=False, start=len(alpha) - 1)
        torch.testing.assert_close(network(images), expected, rtol=1e-10, atol=1e-10)
    blocks = 6 - (len(alpha) - 1)
    assert learned_coefficients(network) == [[*alpha, beta]] * blocks


@pytest.mark.parametrize(
    ("scheme", "stable", "order"),
    [
        ({"alpha": ["1/3", "5/9", "1/9"], "beta": "16/9", "trainable": True}, True, 2),
        ({"lambda": "-9/5", "trainable": True}, True, 2),
        ({"lambda": "1/3", "trainable": True}, False, 2),  # as float32 it is beyond 1/3
        ({"k": -1, "trainable": True}, False, 0),
        ({"alpha": ["7/3", "-5/3", "1/3"], "trainable": True}, False, 0),
    ],
)
def test_before_training_learned_coefficients_are_judged_as_what_they_start_from(
    scheme: Scheme, stable: bool, order: int
) -> None:
    blocks = block_schemes(build(scheme=scheme, depth=14, width=3))
    assert blocks
    assert {(block["zero_stable"], block["order"]) for block in blocks} == {(stable, order)}


def test_fixed_coefficients_are_not_learned() -> None:
    network = build(depth=8)
    assert learned_coefficients(network) is None
    assert not any("coefficients" in name for name in network.state_dict())


class PlainPreActivation(nn.Module):
    """He et al. (2016): y + f(y), a 1x1 stride-2 convolution where the width changes."""

    def __init__(self, n: int, width: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.functions = nn.ModuleList()
        self.shortcuts = nn.ModuleList()
        inputs = width
        for stage in range(3):
            for within in range(n):
                outputs, stride = width * 2**stage, 2 if stage and not within else 1
                self.functions.append(
                    nn.Sequential(
                        nn.BatchNorm2d(inputs),
                        nn.ReLU(),
                        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                        nn.BatchNorm2d(outputs),
                        nn.ReLU(),
                        nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
                    )
                )
                self.shortcuts.append(
                    nn.Conv2d(inputs, outputs, 1, 2, bias=False) if stride == 2 else nn.Identity()
                )
                inputs = outputs
        self.head = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.classifier = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        state = self.stem(images)
        for function, shortcut in zip(self.functions, self.shortcuts, strict=True):
            state = shortcut(state) + function(state)
        logits: Tensor = self.classifier(self.head(state).flatten(1))
        return logits


def test_alpha_one_beta_one_is_the_plain_residual_network() -> None:
    network: Any = build("preresnet", depth=14, width=4)
    plain: Any = PlainPreActivation(2, 4, 10)
    plain.stem.load_state_dict(network.stem.state_dict())
    for block, function, shortcut in zip(
        network.blocks, plain.functions, plain.shortcuts, strict=True
    ):
        for theirs, ours in ((0, "norm1"), (2, "conv1"), (3, "norm2"), (5, "conv2")):
            function[theirs].load_state_dict(getattr(block.function, ours).state_dict())
        if isinstance(shortcut, nn.Conv2d):
            shortcut.load_state_dict(block.projections[0].state_dict())
    plain.head[0].load_state_dict(network.norm.state_dict())
    plain.classifier.load_state_dict(network.classifier.state_dict())
    assert parameters(plain) == parameters(network)
    images = noise(4, 3, 16, 16)
    torch.testing.assert_close(network(images), plain(images))  # in training mode


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (2, 28, 28), (1, 4, 4), (3, 9, 13)])
@pytest.mark.parametrize("stage_change", ["project", "restart"])
def test_multistep_networks_accept_any_image_size_and_channels(
    shape: tuple[int, int, int], stage_change: str
) -> None:
    network = build(
        scheme={"k": 0.5}, depth=14, width=2, channels=shape[0], stage_change=stage_change
    )
    assert network(noise(2, *shape)).shape == (2, 10)


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


@pytest.mark.parametrize("scheme", [{"lambda": 1}, {"k": [-0.1, 0], "trainable": True}])
def test_multistep_initialisation_depends_only_on_its_generator(scheme: Scheme) -> None:
    torch.manual_seed(1)
    first = build(scheme=scheme, depth=14, seed=5)
    torch.manual_seed(2)
    second = build(scheme=scheme, depth=14, seed=5)
    assert same_weights(first, second)
    assert not same_weights(first, build(scheme=scheme, depth=14, seed=6))


def test_initialisation_does_not_use_the_global_generator() -> None:
    before = torch.random.get_rng_state()
    build(depth=8)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_multistep_initialisation_is_he_normal_by_fan_out() -> None:
    network: Any = build(depth=8, width=64)
    last = network.blocks[-1]
    for conv, fan_out in (
        (last.function.conv1, 256 * 9),
        (last.function.conv2, 256 * 9),
        (network.blocks[1].function.conv1, 128 * 9),
        (last.projections[0], 256),
    ):
        assert conv.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)
        assert abs(conv.weight.mean().item()) < 0.05 * (2 / fan_out) ** 0.5
    assert torch.equal(last.function.norm1.weight, torch.ones(128))
    assert torch.equal(last.function.norm1.bias, torch.zeros(128))
    assert network.classifier.weight.abs().max().item() <= 1 / 16


def test_learned_k_starts_in_its_range_and_differs_between_blocks() -> None:
    coefficients = learned_coefficients(build("lm_resnet", depth=32))
    assert coefficients is not None
    # Five blocks a stage, each stage restarting with one Euler step.
    assert len(coefficients) == 12
    ks = [k for _, k, _ in coefficients]
    assert all(-0.1 <= k <= 0 for k in ks)
    assert len(set(ks)) == 12
    assert max(ks) - min(ks) > 0.03
    for one_minus_k, k, beta in coefficients:
        assert one_minus_k == pytest.approx(1 - k)
        assert beta == 1


def test_learned_lambda_starts_at_1() -> None:
    network = build(scheme={"lambda": 1, "trainable": True}, depth=14)
    assert learned_coefficients(network) == [[1.5, -1.0, 0.5, 1.0]] * 4
    names = [name for name, _ in network.named_parameters() if "lambda" in name]
    assert len(names) == 4


def test_the_taylor_network_is_zerosnet_with_lambda_one_and_three_start_blocks() -> None:
    taylor = build("tm_resnet", depth=14, width=3)
    zero = build("zerosnet", {"lambda": 1}, depth=14, width=3, start_blocks=3)
    assert same_weights(taylor, zero)
    images = noise(2, 3, 8, 8)
    assert torch.equal(taylor(images), zero(images))
    assert not torch.equal(
        taylor(images), build("zerosnet", {"lambda": 1}, depth=14, width=3)(images)
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((10, 16, 1, 0, "project"), "depth 10 is not 6n [+] 2 .* nearest are 8 and 14"),
        ((0, 16, 1, 0, "project"), "nearest are 8 and 14"),
        ((16, 16, 1, 0, "project"), "nearest are 14 and 20"),
        ((20, 16, 3, 1, "project"), "start_blocks 1 is too few: .* 3 steps needs 2"),
        ((8, 16, 4, 3, "project"), "the network 3 blocks.*choose depth 14 or more"),
        ((20, 16, 4, 3, "restart"), "each stage 3 blocks.*choose depth 26 or more"),
    ],
)
def test_impossible_multistep_layouts_are_refused(arguments: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        multistep_layout(*arguments)


@pytest.mark.parametrize(
    ("start_blocks", "stage_change", "depth"),
    [(3, "project", 14), (5, "project", 14), (3, "restart", 26), (6, "project", 20)],
)
def test_the_depth_suggested_by_an_error_is_the_smallest_valid(
    start_blocks: int, stage_change: Any, depth: int
) -> None:
    layout = multistep_layout(depth, 16, 3, start_blocks, stage_change)
    assert any(block.multistep for block in layout)
    with pytest.raises(ValueError, match=f"choose depth {depth} or more"):
        multistep_layout(depth - 6, 16, 3, start_blocks, stage_change)


def test_the_layout_of_depth_20_is_that_of_the_released_code() -> None:
    layout = multistep_layout(20, 16, 3, 2, "project")
    assert [block.multistep for block in layout] == [False] * 2 + [True] * 7
    assert [block.carried for block in layout] == [0, 0, 0, 3, 0, 0, 3, 0, 0]
    assert [(block.inputs, block.outputs) for block in layout] == (
        [(16, 16)] * 3 + [(16, 32)] + [(32, 32)] * 2 + [(32, 64)] + [(64, 64)] * 2
    )


def test_restart_begins_every_stage_with_euler_steps() -> None:
    layout = multistep_layout(20, 16, 2, 1, "restart")
    assert [block.multistep for block in layout] == [False, True, True] * 3
    assert [block.carried for block in layout] == [0, 0, 0, 1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("trainable", [False, True])
def test_multistep_networks_in_bf16_do_not_round_coefficients(trainable: bool) -> None:
    # 0.825 in bf16 is 0.82421875: another scheme, with other roots.
    written = {"alpha": [0.825], "beta": 0, "trainable": trainable}
    network: Any = build(depth=8, scheme=written)
    state = torch.randn(1, 16, 8, 8, generator=seeded_generator(0, "state")).bfloat16()
    with torch.no_grad():
        new = network.blocks[0].coefficients(torch.zeros_like(state), [state])
    assert new.dtype == torch.bfloat16
    assert torch.equal(new, (state.double() * 0.825).bfloat16())
    assert not torch.equal(new, state * torch.tensor(0.825).bfloat16())


def test_learned_coefficients_that_do_not_say_what_they_are_name_their_class() -> None:
    class Silent(Learned):
        pass

    with pytest.raises(AssertionError, match="Silent does not say what it learns"):
        Silent().scheme()


def test_a_standard_network_without_layers_cannot_be_built() -> None:
    generator = torch.Generator()
    with pytest.raises(NotImplementedError):
        StandardNetwork(None, None, channels=3, classes=10, generator=generator)
