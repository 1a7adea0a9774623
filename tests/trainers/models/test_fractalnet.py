"""FractalNet: the recursion, and the paths that drop-path leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from schemeless import normed, scramble
from small_networks import (
    assert_continued_run_is_identical,
    assert_gradients_reach_every_parameter,
    build,
    completed,
    counted,
    noise,
)
from trainers.models.fractalnet.network import draw_paths, join
from trainers.models.fractalnet.options import columns_of, widths_of
from trainers.rng import seeded_generator

Small = Callable[..., dict[str, Any]]


# By hand from the widths 64, 128, 256, 512, 512: C convolutions of a block see what enters it, the
# other 2^C - 1 - C the block's own width. The paper states 38.6 M for 20 layers.
@pytest.mark.parametrize(
    ("depth", "classes", "count"), [(20, 100, 33_770_788), (20, 10, 33_724_618)]
)
def test_fractalnet_parameters_match_the_paper(depth: int, classes: int, count: int) -> None:
    assert counted("fractalnet", depth=depth, classes=classes) == count


def test_the_default_fractalnet_is_that_of_the_paper() -> None:
    for depth, columns in ((10, 2), (20, 3), (40, 4)):
        options: Any = completed("fractalnet", depth=depth)
        assert columns_of(options) == options.columns == columns
        assert widths_of(options) == (64, 128, 256, 512, 512)
        assert options.drop_path is None
        assert completed("fractalnet", depth=depth, columns=columns) == options
    narrow: Any = completed("fractalnet", depth=20, width=16)
    assert widths_of(narrow) == (16, 32, 64, 128, 128)


def convolve(module: Any, state: Tensor) -> Tensor:
    out = functional.conv2d(state, module.conv.weight, padding=1)
    return normed(out, module.norm).relu()


def mean_of(paths: list[Tensor], kept: Iterator[list[bool]] | None) -> Tensor:
    chosen = paths
    if kept is not None:
        chosen = [path for path, stays in zip(paths, next(kept), strict=True) if stays]
    return sum(chosen[1:], chosen[0]) / len(chosen)


def columns_side_by_side(
    convolutions: Iterator[Any], state: Tensor, columns: int, kept: Iterator[list[bool]] | None
) -> list[Tensor]:
    """A block as the paper draws it: column by column, in 2^(C - 1) rows, joined after each row
    by those columns that have a convolution ending there. No recursion.
    """
    # The convolutions of a row in the order in which the recursion makes them.
    rows = 2 ** (columns - 1)
    tips = [state] * columns  # deepest first
    modules = list(convolutions)
    for row in range(1, rows + 1):
        ending = [c for c in range(columns) if row % 2**c == 0]
        for column in ending:
            tips[column] = convolve(modules.pop(0), tips[column])
        if row < rows and len(ending) > 1:
            joined = mean_of([tips[column] for column in ending], kept)
            for column in ending:
                tips[column] = joined
    assert modules == []
    return tips


def by_rows(fractal: Any) -> list[Any]:
    """The recursion's convolutions, row by row of the drawing, deepest column first."""
    if not fractal.halves:
        return [fractal.conv]
    return [*by_rows(fractal.halves[0]), *by_rows(fractal.halves[1]), fractal.conv]


def naively(network: Any, images: Tensor, kept: Iterator[list[bool]] | None) -> list[Tensor]:
    states = [images]
    for block in network.blocks:
        modules = iter(by_rows(block.fractal))
        paths = columns_side_by_side(modules, states[-1], network.columns, kept)
        edges = [-size % 2 for size in states[-1].shape[2:]]
        # No value is negative, so zeros beyond the edge never are the largest.
        padded = [functional.pad(path, (0, edges[1], 0, edges[0])) for path in paths]
        pooled = [
            torch.stack([p[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]).amax(0)
            for p in padded
        ]
        states.append(mean_of(pooled, kept))
    features = states[-1].mean(dim=(2, 3))
    return [*states, features @ network.classifier.weight.T + network.classifier.bias]


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_the_fractalnet_forward_pass_is_the_papers_recursion(columns: int) -> None:
    network = build("fractalnet", depth=2 * 2 ** (columns - 1), blocks=2, width=2).double()
    scramble(network)
    network.eval()
    images = noise(2, 3, 9, 8).double()
    with torch.no_grad():
        *states, logits = naively(network, images, None)
        torch.testing.assert_close(network(images), logits, rtol=1e-10, atol=1e-10)
        for found, expected in zip(network.states(images), states, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_a_two_column_fractal_averages_one_and_two_convolutions() -> None:
    """Lu et al. (2018): f_2 = k/2 + f_1 o f_1 / 2; without pooling, so that no maximum is taken."""
    network = build("fractalnet", depth=2, blocks=1, width=3).double().eval()
    scramble(network)
    state = noise(2, 3, 8, 8).double()
    fractal = network.blocks[0].fractal
    first, second = fractal.halves[0].conv, fractal.halves[1].conv
    with torch.no_grad():
        expected = convolve(fractal.conv, state) / 2
        expected += convolve(second, convolve(first, state)) / 2
        torch.testing.assert_close(join(fractal(state, None), None), expected)


def epoch_of(network: Any, seed: int, epoch: int = 1) -> None:
    network.begin_epoch(lambda purpose: seeded_generator(seed, purpose, epoch))


def kept_in(network: Any, step: int) -> Iterator[list[bool]]:
    """What is drawn for one step, join by join."""
    row = network.paths[step].bool().split(network.joins * len(network.blocks))
    return (join_inputs.tolist() for join_inputs in row)


@pytest.mark.parametrize(("columns", "depth"), [(2, 4), (3, 8)])
def test_drop_path_uses_exactly_the_drawn_paths(columns: int, depth: int) -> None:
    network = build("fractalnet", depth=depth, blocks=2, width=2, drop_path=0.4).double()
    assert network.columns == columns
    scramble(network)
    epoch_of(network, 3)
    network.train()
    for module in network.modules():
        # Norms as they are evaluated, so that values do not depend on the batch.
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    images = noise(2, 3, 8, 8).double()
    patterns = set()
    with torch.no_grad():
        for step in range(12):
            *_, logits = naively(network, images, kept_in(network, step))
            torch.testing.assert_close(network(images), logits, rtol=1e-10, atol=1e-10)
            patterns.add(tuple(network.paths[step].tolist()))
    assert len(patterns) > 5


def test_in_a_global_drop_path_step_only_one_column_learns() -> None:
    network = build("fractalnet", depth=8, blocks=2, width=2, drop_path=0.0)
    epoch_of(network, 0)
    losses = set()
    for step in range(40):
        last = [row[-3:] for row in network.paths[step].reshape(2, 5).tolist()]
        network.zero_grad()
        network(noise(4, 3, 8, 8)).square().sum().backward()
        modules = [by_rows(block.fractal) for block in network.blocks]
        for kept, convolutions in zip(last, modules, strict=True):
            # By rows: the deepest column's four, the middle's two, the short one's.
            owner = [0, 0, 1, 0, 0, 1, 2]
            for column, module in zip(owner, convolutions, strict=True):
                moved = bool(module.conv.weight.grad.abs().max() > 0)
                assert moved == bool(kept[column])
        losses.add(tuple(last[0]))
    # Each column alone, and with nothing dropped locally all of them.
    assert losses == {(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)}


def test_half_of_the_drop_path_steps_are_global() -> None:
    steps, drop = 40_000, 0.15
    drawn = draw_paths(2, 3, drop, steps, torch.Generator().manual_seed(0)).bool()
    inner, last = drawn[:, 0:2], drawn[:, 2:5]
    assert bool(inner.any(1).all())
    assert bool(last.any(1).all())
    # Alone in both blocks and at all joins: seldom by chance, since little is dropped locally.
    alone = (last.sum(1) == 1) & (drawn[:, 7:10] == last).all(1)
    assert alone.float().mean().item() == pytest.approx(0.5, abs=0.02)
    for column in range(3):
        assert last[alone, column].float().mean().item() == pytest.approx(1 / 3, abs=0.02)
    many = last.sum(1) > 1
    # Of local steps with two or three left: each input is there with 1 - drop, given these.
    left = (1 - drop) ** 3 + 2 * drop * (1 - drop) ** 2
    given_many = left / ((1 - drop) ** 3 + 3 * drop * (1 - drop) ** 2)
    assert last[many].float().mean().item() == pytest.approx(given_many, abs=0.01)
    # A join that the chosen column does not pass keeps everything.
    short = alone & last[:, 2]
    assert inner[short].all(1).float().mean().item() > 0.9


def test_drop_path_is_off_outside_training() -> None:
    images = noise(4, 3, 8, 8)
    plain = build("fractalnet", depth=4, blocks=2, width=2)
    dropping = build("fractalnet", depth=4, blocks=2, width=2, drop_path=0.15)
    assert torch.equal(plain(images), dropping(images))  # before an epoch
    epoch_of(dropping, 0)
    assert not all(torch.equal(plain(images), dropping(images)) for _ in range(8))
    dropping.load_state_dict(plain.state_dict())
    assert torch.equal(plain.eval()(images), dropping.eval()(images))


def test_drop_path_draws_depend_only_on_the_epoch() -> None:
    images = noise(4, 3, 8, 8)
    one = build("fractalnet", depth=4, blocks=2, width=2, drop_path=0.5)
    other = build("fractalnet", depth=4, blocks=2, width=2, drop_path=0.5)
    epoch_of(one, 5, 1)
    first = one.paths.clone()
    one(images)
    epoch_of(one, 5, 2)
    assert not torch.equal(one.paths, first)
    epoch_of(other, 5, 2)
    for _ in range(5):
        assert torch.equal(one(images), other(images))


def test_a_long_epoch_reuses_its_drop_path_draws() -> None:
    network = build("fractalnet", depth=2, blocks=1, width=1, drop_path=0.5)
    epoch_of(network, 1)
    length = len(network.paths)
    network.step.fill_(length - 1)
    network(noise(2, 3, 8, 8))
    assert network.step.item() == 0


def test_fractalnet_initialisation_is_uniform_with_variance_1_over_fan_in() -> None:
    network = build("fractalnet", depth=4, blocks=2, width=32)
    weight = network.blocks[1].fractal.conv.conv.weight
    assert weight.var().item() == pytest.approx(1 / (9 * 32), rel=0.03)
    assert weight.abs().max().item() <= (3 / (9 * 32)) ** 0.5
    assert weight.abs().max().item() > 0.99 * (3 / (9 * 32)) ** 0.5
    assert network.classifier.weight.var().item() == pytest.approx(1 / 64, rel=0.2)
    assert torch.equal(network.classifier.bias, torch.zeros(10))
    again = build("fractalnet", depth=4, blocks=2, width=32)
    assert torch.equal(again.blocks[1].fractal.conv.conv.weight, weight)


@pytest.mark.parametrize("drop_path", [None, 0.15])
def test_fractalnet_gradients_reach_every_parameter(drop_path: float | None) -> None:
    network = build("fractalnet", depth=12, blocks=3, width=3, drop_path=drop_path)
    assert_gradients_reach_every_parameter(network)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (3, 9, 13), (1, 28, 28)])
def test_fractalnet_states_shrink_to_one_pixel(shape: tuple[int, int, int]) -> None:
    network = build("fractalnet", depth=10, width=1, channels=shape[0])
    images = noise(2, *shape)
    expected: list[tuple[int, ...]] = [(2, *shape)]
    size: tuple[int, ...] = shape[1:]
    for width in (1, 2, 4, 8, 8):
        size = tuple(-(-side // 2) for side in size)
        expected.append((2, width, *size))
    assert [tuple(state.shape) for state in network.states(images)] == expected
    assert network(images).shape == (2, 10)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"name": "fractalnet", "depth": 10, "width": 2}},
        {"model": {"name": "fractalnet", "depth": 12, "blocks": 3, "width": 4, "drop_path": 0.15}},
        {
            "model": {"name": "fractalnet", "depth": 6, "blocks": 3, "width": 4, "drop_path": 0.15},
            "precision": "bf16",
        },
    ],
    ids=["plain", "drop-path", "drop-path-bf16"],
)
def test_a_continued_fractalnet_run_is_bit_identical(
    small: Small, tmp_path: Path, changes: dict[str, Any]
) -> None:
    config = small(training={"epochs": 2, "batch_size": 64}, **changes)
    assert not assert_continued_run_is_identical(config, tmp_path)["diverged"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"depth": 30}, r"depth 30 is not 5 blocks of 2\^\(columns - 1\) .* are 20 and 40"),
        ({"depth": 3}, "nearest are 5 and 10"),
        ({"depth": 0}, "nearest are 5 and 10"),
        ({"depth": 20, "columns": 4}, r"not 5 blocks of 2\^\(4 - 1\) layers, which is depth 40"),
        ({"depth": 20, "columns": 10**9}, "depth 20 is not 5 blocks"),
        ({"depth": 20, "columns": 0}, "greater than or equal to 1"),
        ({"depth": 20, "blocks": 0}, "greater than or equal to 1"),
        ({"depth": 20, "drop_path": 1}, "less than 1"),
        ({"depth": 5, "drop_path": 0.15}, "drop_path 0.15 has nothing to drop in one column"),
    ],
)
def test_invalid_fractalnet_options_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        completed("fractalnet", **changes)
