import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, RandomResizedCrop, Resize
from torchvision.transforms.functional import resized_crop

from trainers.data.streaming.draws import Key, uniforms
from trainers.data.streaming.views import CentreView, RandomView, random_part, with_shorter_side

SIDES = st.integers(1, 700)
IMAGENET = (0.08, 1.0), (3 / 4, 4 / 3)


def noise(width, height, seed=0):
    draws = np.random.default_rng(seed)
    return Image.fromarray(draws.integers(0, 256, (height, width, 3), dtype=np.uint8))


def as_array(image):
    return np.asarray(image).transpose(2, 0, 1)


@pytest.mark.parametrize(
    ("width", "height"), [(500, 375), (375, 500), (64, 64), (33, 201), (50, 40)]
)
def test_the_centre_is_torchvisions_resize_and_centre_crop(width, height):
    image = noise(width, height)
    expected = Compose([Resize(64), CenterCrop(56)])(image)
    assert np.array_equal(CentreView(56, 64).of(image, None, 0), as_array(expected))


def test_a_drawn_part_is_resized_as_torchvision_does():
    image = noise(300, 200)
    view = RandomView(64, area=(0.3, 0.9), flip=False)
    left, top, right, bottom = random_part(
        300, 200, (0.3, 0.9), view.aspect, uniforms(Key(1, 2), "crop", 3)
    )
    expected = resized_crop(
        image, top, left, bottom - top, right - left, [64, 64], InterpolationMode.BILINEAR
    )
    assert np.array_equal(view.of(image, Key(1, 2), 3), as_array(expected))


@given(SIDES, SIDES, st.integers(0, 10**6))
def test_a_part_is_inside_the_image(width, height, index):
    draws = uniforms(Key(0, 1), "crop", index)
    left, top, right, bottom = random_part(width, height, *IMAGENET, draws)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_parts_are_distributed_as_torchvisions():
    torch.manual_seed(0)
    image = torch.empty(3, 375, 500)
    ours = [random_part(500, 375, *IMAGENET, uniforms(Key(0, 1), "crop", k)) for k in range(4_000)]
    theirs = [
        RandomResizedCrop.get_params(image, list(IMAGENET[0]), list(IMAGENET[1])) for _ in ours
    ]
    boxes = np.array([(top, left, bottom - top, right - left) for left, top, right, bottom in ours])
    for mine, other in zip(boxes.T, np.array(theirs).T, strict=True):
        # Two samples of 4,000: Kolmogorov-Smirnov's distance is above 0.044 once in a thousand.
        both = np.sort(np.concatenate([mine, other]))
        distance = np.abs(
            np.searchsorted(np.sort(mine), both, "right")
            - np.searchsorted(np.sort(other), both, "right")
        ).max() / len(ours)
        assert distance < 0.044


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1000, 10, (493, 0, 506, 10)),
        (10, 1000, (0, 493, 10, 506)),
    ],
)
def test_where_no_part_fits_it_is_the_largest_centred_one(width, height, expected):
    part = random_part(width, height, (0.9, 1.0), IMAGENET[1], uniforms(Key(0, 1), "crop", 0))
    assert part == expected
    wide, high = part[2] - part[0], part[3] - part[1]
    assert min(abs(wide / high - 3 / 4), abs(wide / high - 4 / 3)) < 0.06


@given(SIDES, SIDES, st.integers(1, 300))
def test_the_shorter_side_is_as_torchvisions(width, height, side):
    if max(width, height) / min(width, height) * side > 3_000:
        return
    ours = with_shorter_side(Image.new("RGB", (width, height)), side)
    assert min(ours.size) == side
    longer = int(side * max(width, height) / min(width, height))
    assert max(ours.size) == longer


def test_shorter_sides_and_places_take_all_values_that_they_may():
    # Each pixel says where it is.
    rows, columns = np.indices((40, 48))
    image = Image.fromarray(np.stack([rows, columns, 0 * rows], 2).astype(np.uint8))
    view = RandomView(32, shorter_side=(40, 40), flip=False)
    corners = Counter(
        tuple(view.of(image, Key(0, 1), index)[:2, 0, 0].tolist()) for index in range(3_000)
    )
    assert set(corners) == {(row, column) for row in range(9) for column in range(17)}
    sizes = Counter(
        with_shorter_side(image, 40 + int(next(uniforms(Key(0, 1), "shorter side", k)) * 3)).size
        for k in range(300)
    )
    assert {min(size) for size in sizes} == {40, 41, 42}


def test_half_of_the_images_are_mirrored():
    image = noise(40, 40)
    view = RandomView(40, shorter_side=(40, 40))
    plain = as_array(image)
    flips = 0
    for index in range(400):
        seen = view.of(image, Key(0, 1), index)
        flipped = not np.array_equal(seen, plain)
        assert np.array_equal(seen, plain[:, :, ::-1] if flipped else plain)
        flips += flipped
    assert abs(flips - 200) < 5 * math.sqrt(100)


@pytest.mark.parametrize("aspect", [(10, 20), (0.01, 0.02)])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 5), (300, 1), (1, 300)])
def test_of_the_smallest_image_something_is_seen_at_any_aspect(width, height, aspect):
    view = RandomView(8, area=(0.08, 1), aspect=aspect)
    seen = view.of(Image.new("RGB", (width, height), (9, 8, 7)), Key(0, 1), 0)
    assert seen.reshape(3, 64).T.tolist() == [[9, 8, 7]] * 64


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000)])
def test_an_image_that_would_become_too_large_is_refused_before_it_is_resized(size):
    image = Image.new("RGB", size)
    with pytest.raises(ValueError, match=r"would become 1,310,720,000 pixels with a shorter side"):
        CentreView(224, 256).of(image, None, 0)
    with pytest.raises(ValueError, match=r"it is \d+ x \d+, which would become"):
        RandomView(224, shorter_side=(256, 480)).of(image, Key(0, 1), 0)


def test_an_image_is_reduced_before_anything_else():
    image = noise(300, 200)
    small = with_shorter_side(image, 64)
    for reduced, plain in (
        (CentreView(32, 48, reduce=64), CentreView(32, 48)),
        (RandomView(32, area=(0.2, 1), reduce=64), RandomView(32, area=(0.2, 1))),
    ):
        assert np.array_equal(reduced.of(image, Key(0, 1), 5), plain.of(small, Key(0, 1), 5))
