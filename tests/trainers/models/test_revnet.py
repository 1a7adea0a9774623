"""RevNet: the coupling, its inverse, and gradients without stored activations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from saved_activations import SavedActivations
from torch import Tensor
from torch.nn import functional

import schemeless
from schemeless import normed, scramble
from small_networks import (
    NO_DATA,
    assert_continued_run_is_identical,
    build,
    completed,
    counted,
    noise,
    parameters,
)
from trainers.config.run import RunConfig
from trainers.models.revnet.reversible import recomputed
from trainers.run import run

Small = Callable[..., dict[str, Any]]

NARROW = [4, 6, 10]


# Gomez et al. (2017), Table 2: 0.46 M and 1.73 M.
@pytest.mark.parametrize(
    ("depth", "published", "count"), [(38, 0.46, 464_890), (110, 1.73, 1_729_194)]
)
def test_revnet_parameters_match_the_paper(depth: int, published: float, count: int) -> None:
    assert counted("revnet", depth=depth) == count
    assert round(count / 1e6, 2) == published
    assert parameters(build("revnet", depth=depth)) == count


def test_revnet_default_widths_are_written_out() -> None:
    for depth, widths in ((38, (32, 64, 112)), (110, (32, 64, 128)), (14, (32, 64, 128))):
        options: Any = completed("revnet", depth=depth)
        assert options.widths == widths
        assert completed("revnet", depth=depth, widths=list(widths)) == options


@st.composite
def any_options(draw: st.DrawFn) -> dict[str, Any]:
    halves = sorted(draw(st.lists(st.integers(1, 5), min_size=3, max_size=3)))
    return {
        "depth": draw(st.sampled_from([14, 26])),
        "widths": [2 * half for half in halves],
        "recompute": draw(st.booleans()),
        "channels": draw(st.integers(1, 3)),
        "classes": draw(st.integers(2, 12)),
    }


@settings(max_examples=10, deadline=None)
@given(any_options(), st.integers(8, 17))
def test_revnet_gradients_reach_every_parameter(options: dict[str, Any], size: int) -> None:
    network = build("revnet", **options)
    images = noise(2, options["channels"], size, size)
    found = schemeless.gradients(network, network(images).square().sum())
    assert found.keys() == dict(network.named_parameters()).keys()


def residual(function: Any, stream: Tensor, stride: int = 1) -> Tensor:
    if function.norm1 is not None:
        stream = normed(stream, function.norm1).relu()
    inner = functional.conv2d(stream, function.conv1.weight, stride=stride, padding=1)
    return functional.conv2d(normed(inner, function.norm2).relu(), function.conv2.weight, padding=1)


def averaged_and_padded(stream: Tensor, channels: int) -> Tensor:
    count, before, height, width = stream.shape
    pixels = stream.reshape(count, before, height // 2, 2, width // 2, 2).mean(dim=(3, 5))
    out = pixels.new_zeros(count, channels, height // 2, width // 2)
    first = (channels - before) // 2
    out[:, first : first + before] = pixels
    return out


def test_the_revnet_forward_pass_is_the_coupling() -> None:
    network = build("revnet", depth=26, widths=NARROW).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 8, 12).double()
    with torch.no_grad():
        stem = functional.conv2d(images, network.stem.weight, padding=1)
        state = normed(stem, network.stem_norm).relu()
        expected = [state]
        x1, x2 = state[:, :2], state[:, 2:]
        for index, block in enumerate(network.blocks):
            carried1, carried2 = x1, x2
            if index in (2, 4):
                width = {2: 3, 4: 5}[index]
                carried1, carried2 = (averaged_and_padded(x, width) for x in (x1, x2))
            x1 = carried1 + residual(block.f, x2, stride=2 if index in (2, 4) else 1)
            x2 = carried2 + residual(block.g, x1)
            expected.append(torch.cat((x1, x2), dim=1))
        features = normed(expected[-1], network.norm).relu().mean(dim=(2, 3))
        logits = features @ network.classifier.weight.T + network.classifier.bias
        torch.testing.assert_close(network(images), logits, rtol=1e-10, atol=1e-10)
        for found, stated in zip(network.states(images), expected, strict=True):
            torch.testing.assert_close(found, stated, rtol=1e-10, atol=1e-10)
    # The gradient's way leads through the same numbers.
    torch.testing.assert_close(network(images), logits, rtol=1e-10, atol=1e-10)


def test_only_the_first_revnet_function_starts_without_activation() -> None:
    network = build("revnet", depth=26, widths=NARROW)
    functions = [f for block in network.blocks for f in (block.f, block.g)]
    assert [f.norm1 is None for f in functions] == [True] + [False] * 11


def pair(**options: Any) -> tuple[Any, Any]:
    """The network that recomputes, and the one that keeps, with the same weights."""
    recomputing = build("revnet", recompute=True, **options)
    keeping = build("revnet", recompute=False, **options)
    for one, other in zip(recomputing.parameters(), keeping.parameters(), strict=True):
        assert torch.equal(one, other)
    return recomputing, keeping


def cross_entropy(network: Any, images: Tensor) -> Tensor:
    return functional.cross_entropy(network(images), torch.arange(len(images)) % 10)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [8, 9])
def test_revnet_gradients_equal_those_with_stored_activations(training: bool, size: int) -> None:
    networks = [network.double() for network in pair(depth=38, widths=NARROW)]
    found = []
    for network in networks:
        scramble(network)
        network.train(training)
        images = noise(6, 3, size, size).double().requires_grad_()
        gradients = schemeless.gradients(network, cross_entropy(network, images))
        assert gradients.keys() == dict(network.named_parameters()).keys()
        found.append({**gradients, "images": images.grad})
    for name, gradient in found[1].items():
        assert gradient is not None, name
        assert gradient.abs().max() > 1e-6, name
        torch.testing.assert_close(found[0][name], gradient, rtol=1e-9, atol=1e-9)


def test_recomputation_keeps_bits_and_updates_batch_statistics_once() -> None:
    networks = pair(depth=26, widths=NARROW)
    images = noise(6, 3, 8, 8)
    losses = [cross_entropy(network, images) for network in networks]
    assert torch.equal(*losses)
    for loss in losses:
        loss.backward()
    for (name, one), (_, other) in zip(
        networks[0].named_buffers(), networks[1].named_buffers(), strict=True
    ):
        assert torch.equal(one, other), name
        if name.endswith("num_batches_tracked"):
            assert one.item() == 1
    assert not torch.equal(networks[0].norm.running_mean, torch.zeros(10))


def test_a_revnet_backward_pass_does_not_change_module_state() -> None:
    network = build("revnet", depth=26, widths=NARROW)
    loss = cross_entropy(network, noise(6, 3, 8, 8))
    before = copy.deepcopy(network.state_dict())
    modes = [module.training for module in network.modules()]
    loss.backward()
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())
    assert [module.training for module in network.modules()] == modes


@pytest.fixture
def _deterministic() -> Iterator[None]:
    torch.set_deterministic_debug_mode("error")
    yield
    torch.set_deterministic_debug_mode("default")


@pytest.mark.usefixtures("_deterministic")
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_repeated_revnet_step_is_bit_identical(precision: torch.dtype) -> None:
    found = []
    for _ in range(2):
        network = build("revnet", depth=26, widths=NARROW)
        with torch.autocast("cpu", precision, enabled=precision == torch.bfloat16):
            loss = cross_entropy(network, noise(6, 3, 8, 8))
        found.append(schemeless.gradients(network, loss))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


class Recorded(torch.nn.Module):
    """A block of which is noted what enters its functions."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.inner = block
        self.invertible, self.f, self.g = block.invertible, block.f, block.g
        self.seen: list[tuple[str, Tensor, torch.dtype]] = []
        for name in ("f", "g"):
            getattr(block, name).register_forward_hook(self._note(name))

    def _note(self, name: str) -> Callable[..., None]:
        def note(_module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            self.seen.append((name, inputs[0].detach().clone(), output.dtype))

        return note

    def forward(self, x1: Tensor, x2: Tensor, again: bool = False) -> tuple[Tensor, Tensor]:
        y1, y2 = self.inner(x1, x2, again)
        return y1, y2


@pytest.mark.parametrize(
    ("precision", "dtype", "tolerance"),
    [(None, torch.float64, 1e-13), (None, torch.float32, 1e-5), (torch.bfloat16, None, 2e-2)],
)
def test_revnet_block_inputs_are_reconstructed_from_outputs(
    precision: torch.dtype | None, dtype: torch.dtype | None, tolerance: float
) -> None:
    network = build("revnet", depth=74, widths=[8, 8, 8]).to(dtype or torch.float32)
    stage = [Recorded(block) for block in network.blocks[:6]]
    x1, x2 = (noise(4, 4, 8, 8, seed=s).to(dtype or torch.float32).requires_grad_() for s in (1, 2))
    with torch.autocast("cpu", precision, enabled=precision is not None):
        y1, y2 = recomputed(stage, x1, x2)
    assert y1.dtype == y2.dtype == (dtype or torch.float32)
    (y1.square().sum() + y2.sin().sum()).backward()
    for block in stage:
        # In the backward pass first G, of the output, then F, of what was found again.
        (f, x2_first, inside), (g, y1_first, _), (g_again, y1_last, _), (f_again, x2_last, _) = (
            block.seen
        )
        assert (f, g, g_again, f_again) == ("f", "g", "g", "f")
        assert inside == (precision or dtype)
        assert {entry[2] for entry in block.seen} == {inside}
        assert x2_first.dtype == (dtype or torch.float32)
        scale = x2_first.abs().max()
        assert (x2_last - x2_first).abs().max() <= tolerance * scale
        assert (y1_last - y1_first).abs().max() <= tolerance * scale
    # Exactly the output of the last block; not exactly that of the one before it.
    assert torch.equal(stage[-1].seen[1][1], stage[-1].seen[2][1])
    assert not torch.equal(stage[0].seen[1][1], stage[0].seen[2][1])


@pytest.mark.parametrize(
    ("precision", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)]
)
def test_revnet_gradients_in_low_precision_differ_only_by_rounding(
    precision: torch.dtype, tolerance: float
) -> None:
    found = []
    for network in pair(depth=38, widths=[8, 12, 16]):
        with torch.autocast("cpu", precision, enabled=precision == torch.bfloat16):
            loss = cross_entropy(network, noise(8, 3, 8, 8))
        gradients = schemeless.gradients(network, loss.float())
        found.append(torch.cat([gradient.flatten() for gradient in gradients.values()]))
    assert all(gradient.dtype == torch.float32 for gradient in found)
    difference = (found[0] - found[1]).norm() / found[1].norm()
    assert difference < tolerance
    if precision == torch.float32:
        # Not none: the option is rightly part of what makes a run.
        assert difference > 0


def saved(network: Any, images: Tensor) -> tuple[int, int]:
    with SavedActivations(network) as found:
        loss = cross_entropy(network, images)
        after_forward = found.live
        loss.backward()
    assert found.live == 0
    return after_forward, found.peak


def test_revnet_saved_bytes_do_not_grow_with_depth() -> None:
    images = noise(4, 3, 16, 16)
    depths = (14, 38, 74)
    kept: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    for depth in depths:
        for recompute in kept:
            network = build("revnet", depth=depth, widths=[8, 8, 8], recompute=recompute)
            kept[recompute].append(saved(network, images))
    assert len({after for after, _ in kept[True]}) == 1
    # While it runs back it keeps what one block needs, of which 14 layers have two kinds at most.
    assert kept[True][1] == kept[True][2]
    # Without recomputation each further block adds the same.
    after = [after for after, _ in kept[False]]
    slope = (after[1] - after[0]) / (38 - 14)
    assert (after[2] - after[1]) / (74 - 38) == pytest.approx(slope, rel=0.01)
    assert after[2] > 3 * after[0]
    assert kept[False][2][1] > 5 * kept[True][2][1]


def test_revnet_stores_only_the_outputs_of_stages() -> None:
    network = build("revnet", depth=38, widths=[8, 8, 8])
    x1, x2 = (noise(2, 4, 8, 8, seed=s).requires_grad_() for s in (1, 2))
    with SavedActivations(network) as found:
        for start in (0, 3, 6):
            x1, x2 = recomputed(network.blocks[start : start + 3], x1, x2)
    pixels = 64 + 16 + 4
    assert found.live == 2 * (2 * 4) * pixels * 4


def test_the_saved_bytes_counter_counts_each_storage_once() -> None:
    layer = torch.nn.Linear(10, 10)
    inputs = noise(5, 10).requires_grad_()
    with SavedActivations(layer) as found:
        hidden = layer(inputs)
        assert found.live == 5 * 10 * 4  # the inputs, and not the weights
        out = hidden * hidden.flip(0) + hidden.T.T.sin()
        assert found.live == 3 * 5 * 10 * 4  # hidden, its reverse; the view shares hidden's
        out.sum().backward()
        del out, hidden
        assert found.live == 0
    assert found.peak == 3 * 5 * 10 * 4


def test_changing_the_mode_between_revnet_passes_is_an_error() -> None:
    network = build("revnet", depth=14, widths=NARROW)
    loss = cross_entropy(network, noise(4, 3, 8, 8))
    network.eval()
    with pytest.raises(RuntimeError, match="mode has changed"):
        loss.backward()


def test_changing_weights_between_revnet_passes_is_an_error() -> None:
    network = build("revnet", depth=14, widths=NARROW)
    loss = cross_entropy(network, noise(4, 3, 8, 8))
    with torch.no_grad():
        network.blocks[1].f.conv1.weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_second_derivatives_of_revnet_need_stored_activations() -> None:
    recomputing, keeping = pair(depth=14, widths=NARROW)
    weight = recomputing.stem.weight
    (gradient,) = torch.autograd.grad(
        cross_entropy(recomputing, noise(4, 3, 8, 8)), weight, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
    weight = keeping.stem.weight
    (gradient,) = torch.autograd.grad(
        cross_entropy(keeping, noise(4, 3, 8, 8)), weight, create_graph=True
    )
    gradient.sum().backward()


def test_frozen_revnet_weights_get_no_gradient_and_change_no_other() -> None:
    found = []
    for network in (n.double() for n in pair(depth=26, widths=NARROW)):
        for index in (0, 3):
            network.blocks[index].f.requires_grad_(False)
        loss = cross_entropy(network, noise(4, 3, 8, 8).double())
        found.append(schemeless.gradients(network, loss))
    assert found[0].keys() == found[1].keys()
    assert "blocks.3.f.conv1.weight" not in found[0]
    for name, gradient in found[1].items():
        torch.testing.assert_close(found[0][name], gradient, rtol=1e-9, atol=1e-9)


def test_autocast_around_both_revnet_passes_changes_nothing() -> None:
    found = []
    for around in (False, True):
        network = build("revnet", depth=26, widths=NARROW)
        with torch.autocast("cpu", torch.bfloat16):
            # A pass without gradients must not leave casted weights to the one with them.
            with torch.no_grad():
                network(noise(4, 3, 8, 8))
            loss = cross_entropy(network, noise(4, 3, 8, 8))
            if around:
                found.append(schemeless.gradients(network, loss))
        if not around:
            found.append(schemeless.gradients(network, loss))
    assert found[0].keys() == found[1].keys()
    for name in found[0]:
        assert torch.equal(found[0][name], found[1][name]), name


def test_revnet_in_channels_last_gives_the_same_gradients() -> None:
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        network = build("revnet", depth=26, widths=NARROW).double().to(memory_format=layout)
        images = noise(4, 3, 8, 8).double().contiguous(memory_format=layout)
        found.append(schemeless.gradients(network, cross_entropy(network, images)))
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (3, 9, 13)])
def test_revnet_states_have_the_width_and_resolution_of_their_stage(
    shape: tuple[int, int, int],
) -> None:
    network = build("revnet", depth=26, widths=NARROW, channels=shape[0])
    images = noise(2, *shape)
    halved = [tuple(-(-side // 2**stage) for side in shape[1:]) for stage in range(3)]
    expected = [(2, NARROW[0], *halved[0])]
    expected += [(2, NARROW[stage], *halved[stage]) for stage in (0, 0, 1, 1, 2, 2)]
    states = list(network.states(images))
    assert [tuple(state.shape) for state in states] == expected
    assert network(images).shape == (2, 10)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.slow
def test_a_continued_revnet_run_is_bit_identical(
    small: Small, tmp_path: Path, precision: str
) -> None:
    config = small(
        model={"name": "revnet", "depth": 26, "widths": [8, 8, 12]},
        training={"epochs": 2, "batch_size": 64},
        precision=precision,
    )
    whole = assert_continued_run_is_identical(config, tmp_path)
    assert not whole["diverged"]
    run_id = RunConfig.model_validate(config).run_id
    config["model"]["recompute"] = False
    assert RunConfig.model_validate(config).run_id != run_id
    keeping = run(config, data_dir=NO_DATA)
    assert keeping["epochs"][0]["train_loss"] == pytest.approx(
        whole["epochs"][0]["train_loss"], rel=1e-3 if precision == "fp32" else 0.1
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"depth": 32}, "depth 32 is not 12n [+] 2 .* nearest are 26 and 38"),
        ({"depth": 2}, "nearest are 14 and 26"),
        ({"widths": [32, 63, 128]}, "width 63 cannot be split .* nearest are 62 and 64"),
        ({"widths": [32, 64, 0]}, "width 0 is not between 2 and 8192"),
        ({"widths": [64, 32, 128]}, r"widths \[64, 32, 128\] fall, .* \[32, 64, 128\] would do"),
        ({"widths": [32, 64]}, "widths.2"),
        ({"recompute": 1}, "neither true nor false"),
    ],
)
def test_invalid_revnet_options_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        completed("revnet", **{"depth": 38, **changes})
