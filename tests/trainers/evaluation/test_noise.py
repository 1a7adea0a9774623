import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainers.config.evaluations import ConstantNoise, GaussianNoise, UniformNoise
from trainers.evaluation import noise

GREY = torch.full((1_000, 1, 8, 8), 0.5)
LABELS = torch.zeros(1_000, dtype=torch.int64)
EACH = [
    (noise.uniform, UniformNoise(low=-0.08, high=0)),
    (noise.gaussian, GaussianNoise(std=0.1)),
    (noise.constant, ConstantNoise(value=0.3)),
]


def logits(pixels):
    raise AssertionError("noise does not look at the network")


def added(perturb, pixels=GREY, labels=LABELS):
    return perturb(pixels, labels, logits) - pixels


@pytest.mark.parametrize(("low", "high"), [(-0.08, 0), (0, 0.1), (-0.2, 0.3)])
def test_uniform_noise_fills_its_bounds_evenly(low, high):
    drawn = added(noise.uniform(UniformNoise(low=low, high=high)))
    width = high - low
    assert drawn.min() >= low - 1e-6
    assert drawn.max() <= high + 1e-6
    # 64,000 draws: each tenth has 6,400 but for a standard deviation of 76.
    counts = torch.histc(drawn, bins=10, min=low, max=high)
    assert counts.sum() >= 63_990
    assert (counts - 6_400).abs().max() < 5 * 76
    assert drawn.mean() == pytest.approx((low + high) / 2, abs=width / 100)


@pytest.mark.parametrize("std", [0.02, 0.3])
def test_gaussian_noise_has_its_deviation(std):
    drawn = added(noise.gaussian(GaussianNoise(std=std)))
    assert drawn.mean() == pytest.approx(0, abs=5 * std / 64_000**0.5)
    assert drawn.std() == pytest.approx(std, rel=0.02)
    within = (drawn.abs() < std).float().mean()
    assert within == pytest.approx(0.6827, abs=0.01)


@given(st.floats(-1, 1, width=32))
def test_constant_noise_is_added_exactly(value):
    pixels = torch.rand((2, 1, 3, 3), generator=torch.Generator().manual_seed(0))
    made = noise.constant(ConstantNoise(value=value))(pixels, LABELS[:2], logits)
    assert torch.equal(made, pixels + value)


def test_noise_is_drawn_with_the_configs_seed():
    # The released code of ZeroSNet seeds with 1.
    drawn = torch.randn(GREY.shape, generator=torch.Generator().manual_seed(1)) * 0.1
    assert torch.equal(noise.gaussian(GaussianNoise(std=0.1))(GREY, LABELS, logits), GREY + drawn)
    drawn = torch.rand(GREY.shape, generator=torch.Generator().manual_seed(5)) * 0.25 - 0.25
    config = UniformNoise(low=-0.25, high=0, seed=5)
    assert torch.equal(noise.uniform(config)(GREY, LABELS, logits), GREY + drawn)


@pytest.mark.parametrize(("function", "config"), EACH)
def test_noise_depends_only_on_its_config(function, config):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = added(function(config))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    pixels = torch.full_like(GREY, 0.25)  # where sums are exact to the same digits
    other = function(config)(pixels, LABELS + 1, logits) - pixels
    assert torch.allclose(first, other, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("function", "config"), EACH[:2])
def test_noise_differs_between_batches_seeds_and_pixels(function, config):
    perturb = function(config)
    first, second = added(perturb), added(perturb)
    assert not torch.equal(first, second)
    other = function(config.model_copy(update={"seed": 2}))
    assert not torch.equal(first, added(other))
    # Each pixel has noise of its own, not one draw for an image or a batch.
    assert len(first[0].unique()) > 50
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize(("function", "config"), EACH)
def test_adding_noise_does_not_change_its_input(function, config):
    pixels = GREY.clone()
    assert not torch.equal(function(config)(pixels, LABELS, logits), GREY)
    assert torch.equal(pixels, GREY)
