"""Stochastic depth: what a dropped block is, when blocks are dropped, and that runs resume."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from small_networks import (
    NO_DATA,
    assert_continued_run_is_identical,
    build,
    counted,
    noise,
    numbers,
    scramble,
)
from trainers.config.run import RunConfig
from trainers.models.multistep.stochastic_depth import DroppedBlocks, survival_probabilities
from trainers.optim.compilation import CompiledNetwork
from trainers.rng import seeded_generator
from trainers.run import run

Small = Callable[..., dict[str, Any]]

DEEP = {"depth": 20, "width": 3}


def drawing(seed: int = 0, epoch: int = 1) -> Callable[[str], torch.Generator]:
    return lambda purpose: seeded_generator(seed, purpose, epoch)


def test_survival_probability_decays_linearly_to_the_last_block() -> None:
    assert survival_probabilities(0.5, 54)[-1] == 0.5
    assert survival_probabilities(0.5, 54)[0] == pytest.approx(1 - 0.5 / 54)
    assert survival_probabilities(0.2, 4) == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert survival_probabilities(1, 5) == [1] * 5


def test_blocks_are_dropped_with_their_probability() -> None:
    survival = [0.9, 0.5, 1.0, 0.2]
    dropped = DroppedBlocks(survival)
    dropped.begin_epoch(drawing())
    drawn = torch.tensor([dropped() for _ in range(4000)]).double()
    deviation = (torch.tensor(survival) * (1 - torch.tensor(survival)) / 4000).sqrt()
    assert ((drawn.mean(0) - torch.tensor(survival)).abs() <= 4 * deviation).all()
    # Each block by itself, and each batch by itself.
    assert abs(torch.corrcoef(drawn[:, [0, 1, 3]].T).triu(1)).max() < 0.07
    assert abs(torch.corrcoef(torch.stack((drawn[1:, 1], drawn[:-1, 1])))[0, 1]) < 0.07


def keeping(network: Any, pattern: list[Any]) -> Any:
    """The network with a pattern in place of draws."""
    network.dropped.forward = lambda: pattern
    return network


@pytest.mark.parametrize(
    ("name", "scheme", "alpha", "beta"),
    [
        ("preresnet", None, [1.0], 1.0),
        ("lm_resnet", {"k": [0.25, 0.25], "trainable": True}, [0.75, 0.25], 1.0),
        ("zerosnet", {"lambda": 1}, [1.5, -1.0, 0.5], 1.0),
    ],
)
@pytest.mark.parametrize("stage_change", ["project", "restart"])
def test_a_dropped_block_still_combines_earlier_states(
    name: str, scheme: Any, alpha: list[float], beta: float, stage_change: str
) -> None:
    """X_{n+1} = (1 - k) X_n + k X_{n-1} + eta f(X_n) (Lu et al., section 3.2)."""
    network = build(name, scheme, depth=26, width=2, survival=0.5, stage_change=stage_change)
    network = network.double().train()
    pattern = [bool(i % 3) for i in range(12)]
    images = noise(4, 3, 8, 8).double()
    states = list(keeping(network, pattern).states(images))
    since_start = 0
    history = states[:1]
    for index, (block, kept) in enumerate(zip(network.blocks, pattern, strict=True)):
        slope = block.function(history[0])
        if index in (4, 8) and stage_change == "restart":
            history = [block.projections[0](block.projection_norm(history[0]).relu())]
            since_start = 0
        elif index in (4, 8):
            history = [p(state) for p, state in zip(block.projections, history, strict=False)]
        euler = since_start < len(alpha) - 1
        weights, share = ([1.0], 1.0) if euler else (alpha, beta)
        expected = share * kept * slope
        for weight, state in zip(weights, history, strict=False):
            expected = expected + weight * state
        torch.testing.assert_close(states[index + 1], expected, rtol=1e-10, atol=1e-10)
        history = [expected, *history][: len(alpha)]
        since_start += 1


@pytest.mark.parametrize("name", ["preresnet", "lm_resnet"])
def test_evaluation_scales_each_block_by_its_survival_probability(name: str) -> None:
    sure, chancy = build(name, **DEEP), build(name, **DEEP, survival=0.5)
    scramble(sure)
    chancy.load_state_dict(sure.state_dict())
    # The last convolution of each f, scaled, is f scaled.
    with torch.no_grad():
        for block, p in zip(sure.blocks, survival_probabilities(0.5, 9), strict=True):
            block.function.conv2.weight *= p
    images = noise(4, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(chancy.eval()(images), sure.eval()(images))
        assert torch.equal(chancy(images), chancy(images))


def test_a_batch_that_drops_nothing_equals_training_without_stochastic_depth() -> None:
    sure, chancy = build("lm_resnet", **DEEP), build("lm_resnet", **DEEP, survival=0.5)
    images = noise(4, 3, 8, 8)
    assert torch.equal(chancy(images), sure(images))  # before the first epoch
    assert torch.equal(keeping(chancy, [True] * 9)(images), sure(images))


def after_a_step(network: nn.Module, images: Tensor) -> dict[str, Tensor | None]:
    """Logits, gradients and buffers of one pass in training."""
    logits = network(images)
    logits.square().mean().backward()
    found: dict[str, Tensor | None] = {"logits": logits.detach()}
    found |= {f"grad of {name}": p.grad for name, p in network.named_parameters()}
    return found | dict(network.named_buffers())


def test_a_dropped_block_computes_nothing_and_learns_nothing() -> None:
    network = build("lm_resnet", **DEEP, survival=0.5)
    pattern = [True] * 9
    pattern[3] = pattern[5] = False  # one changes the stage, one does not
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    calls = []
    for index, block in enumerate(network.blocks):
        block.function.register_forward_hook(lambda *_, index=index: calls.append(index))
    after = after_a_step(keeping(network, pattern), noise(4, 3, 8, 8))
    assert calls == [0, 1, 2, 4, 6, 7, 8]
    for name, p in network.named_parameters():
        dropped = name.startswith(("blocks.3.function", "blocks.5.function"))
        assert p.grad is not None, name  # or it would not decay
        if "function" in name:
            assert bool(p.grad.abs().max() == 0) == dropped, name
    for name, old in before.items():
        if "function" in name:
            dropped = name.startswith(("blocks.3.", "blocks.5."))
            value = after[name]
            assert value is not None
            assert torch.equal(value, old) == dropped, name


@pytest.mark.parametrize("name", ["preresnet", "lm_resnet", "zerosnet"])
def test_masked_and_branching_stochastic_depth_are_equal(name: str) -> None:
    images = noise(4, 3, 8, 8)
    pattern = [True, False, True, False, True, True, False, False, True]
    branching = keeping(build(name, **DEEP, survival=0.5), pattern)
    masking = keeping(build(name, **DEEP, survival=0.5), [torch.tensor(kept) for kept in pattern])
    one, other = after_a_step(branching, images), after_a_step(masking, images)
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert value is not None
        assert torch.equal(value, other[key]), key


@pytest.mark.filterwarnings("ignore")  # torch's compiler warns of its own deprecated parts
@pytest.mark.slow
@pytest.mark.long
def test_compiled_training_drops_the_same_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    without_c = partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr("trainers.optim.compilation._compiler", lambda: without_c)
    options = {"depth": 8, "width": 2, "survival": 0.3, "stage_change": "project"}
    plain, network = (build("lm_resnet", **options) for _ in range(2))
    compiled = CompiledNetwork(network, training_batch=4, evaluation_batch=6)
    for each in (plain, network):
        each.begin_epoch(drawing())
    dropped = 0
    # The third batch is no whole one, and goes through no graph.
    for seed, count in enumerate((4, 4, 3, 4)):
        images = noise(count, 3, 8, 8, seed=seed)
        one, other = after_a_step(plain, images), after_a_step(compiled, images)
        for key, value in one.items():
            key = key.replace("grad of ", "grad of network.")
            found = other[key if key in other else f"network.{key}"]
            if not key.endswith("dropped.kept"):
                torch.testing.assert_close(value, found, rtol=1e-4, atol=1e-5)
        dropped += sum(not bool(kept) for kept in network.dropped.kept)
        plain.zero_grad()
        network.zero_grad()
    assert dropped > 2
    images = noise(6, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(compiled.eval()(images), plain.eval()(images))


def test_stochastic_depth_draws_depend_only_on_seed_and_epoch() -> None:
    def patterns(seed: int, epoch: int) -> list[Any]:
        dropped = DroppedBlocks([0.5] * 8)
        dropped.begin_epoch(drawing(seed, epoch))
        return [dropped() for _ in range(4)]

    assert patterns(0, 1) == patterns(0, 1)
    assert patterns(0, 1) != patterns(1, 1)
    assert patterns(0, 1) != patterns(0, 2)
    assert len({tuple(kept) for kept in patterns(0, 1)}) > 1


@pytest.mark.parametrize("name", ["preresnet", "lm_resnet"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_continued_stochastic_depth_run_is_bit_identical(
    small: Small, tmp_path: Path, name: str, precision: str
) -> None:
    changes: dict[str, Any] = {
        "training": {"epochs": 2, "batch_size": 32},
        "precision": precision,
    }
    model = {"name": name, "depth": 14, "width": 4}
    config = small(model={**model, "survival": 0.5}, **changes)
    result = assert_continued_run_is_identical(config, tmp_path)
    assert not result["diverged"]
    without = run(small(model=model, **changes), data_dir=NO_DATA)
    assert numbers(without) != numbers(result)


def config(**options: Any) -> RunConfig:
    return RunConfig.model_validate(
        {"model": {"name": "lm_resnet", "depth": 56, **options}, "dataset": "cifar10", "seed": 0}
    )


def test_survival_changes_the_run_id_only_if_it_drops_blocks() -> None:
    plain = config()
    assert "survival" not in plain.to_json()["model"]
    assert config(survival=None).run_id == config(survival=1).run_id == plain.run_id
    assert config(survival=0.5).to_json()["model"]["survival"] == 0.5
    assert config(survival="1/2").run_id == config(survival=0.5).run_id
    assert len({config(survival=p).run_id for p in (0.5, 0.8, 1)}) == 3


def test_stochastic_depth_adds_no_parameters() -> None:
    assert counted("lm_resnet", depth=56, survival=0.8) == counted("lm_resnet", depth=56)
    sure, chancy = build("lm_resnet", **DEEP), build("lm_resnet", **DEEP, survival=0.5)
    assert sure.state_dict().keys() == chancy.state_dict().keys()


@pytest.mark.parametrize("survival", [0, -0.5, 1.5, True, "half"])
def test_an_invalid_survival_probability_is_refused(survival: Any) -> None:
    with pytest.raises(ValidationError, match="survival"):
        config(survival=survival)
