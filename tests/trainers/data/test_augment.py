import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.data import augment
from trainers.data.augment import crop_and_flip, draw, normalize, pad
from trainers.rng import seeded_generator


def images_of(count, channels, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (count, channels, height, width)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def draws_of(count, padding, horizontal_flip, seed=0):
    return draw(
        count,
        padding,
        horizontal_flip,
        crops=seeded_generator(seed, "crops"),
        flips=seeded_generator(seed, "flips"),
    )


def by_torchvision(image, offset, flip, padding):
    from torchvision.transforms import functional

    _, height, width = image.shape
    padded = functional.pad(image, [padding] * 4)
    cropped = functional.crop(padded, *offset.tolist(), height, width)
    return functional.hflip(cropped) if flip else cropped


@settings(deadline=None)
@given(
    count=st.integers(1, 6),
    channels=st.integers(1, 4),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    padding=st.integers(0, 5),
    flip=st.booleans(),
    wide=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_augmentation_equals_torchvision_image_by_image(
    count, channels, height, width, padding, flip, wide, seed
):
    images = images_of(count, channels, height, width, seed)
    index = torch.randint(0, count, (8,), generator=seeded_generator(seed, "order"))
    offsets, flips = draws_of(8, padding, flip, seed)
    with pytest.MonkeyPatch.context() as patch:
        if wide:  # the places of a set too large for 32 bits
            patch.setattr(augment, "_INT32_MAX", 0)
        batch = crop_and_flip(pad(images, padding), index, offsets, flips, padding=padding)
    assert batch.dtype == torch.uint8
    for made, image, offset, flipped in zip(batch, images[index], offsets, flips, strict=True):
        assert torch.equal(made, by_torchvision(image, offset, flipped, padding))


def test_extreme_crops_are_correct_with_and_without_flip():
    images = images_of(1, 3, 32, 32)
    offsets = torch.tensor([[0, 0], [0, 8], [8, 0], [8, 8]]).repeat(2, 1)
    flips = torch.tensor([False] * 4 + [True] * 4)
    index = torch.zeros(8, dtype=torch.int64)
    batch = crop_and_flip(pad(images, 4), index, offsets, flips, padding=4)
    for made, offset, flipped in zip(batch, offsets, flips, strict=True):
        assert torch.equal(made, by_torchvision(images[0], offset, flipped, 4))


def test_augmentation_without_padding_and_flips_is_the_identity():
    images = images_of(20, 3, 8, 8)
    offsets, flips = draws_of(20, 0, False)
    assert torch.equal(
        crop_and_flip(pad(images, 0), torch.arange(20), offsets, flips, padding=0), images
    )


def test_crop_padding_is_black():
    padded = pad(torch.full((2, 1, 3, 3), 255, dtype=torch.uint8), 2)
    assert padded.shape == (2, 1, 7, 7)
    assert padded.dtype == torch.uint8
    assert padded.sum() == 2 * 9 * 255
    assert (padded[:, :, 2:5, 2:5] == 255).all()


def test_non_contiguous_images_are_refused():
    padded = pad(images_of(4, 3, 8, 8), 1).permute(0, 1, 3, 2)
    offsets, flips = draws_of(4, 1, True)
    with pytest.raises(RuntimeError, match="view"):
        crop_and_flip(padded, torch.arange(4), offsets, flips, padding=1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_augmentation_on_a_gpu_gives_the_same_batches():
    padded = pad(images_of(50, 3, 32, 32), 4)
    arguments = (padded, torch.arange(50), *draws_of(50, 4, True))
    on_gpu = crop_and_flip(*(tensor.cuda() for tensor in arguments), padding=4)
    assert torch.equal(on_gpu.cpu(), crop_and_flip(*arguments, padding=4))


def test_crops_are_uniform_over_all_offsets():
    offsets, _ = draws_of(81 * 400, 4, True)
    counts = torch.bincount(offsets[:, 0] * 9 + offsets[:, 1], minlength=81)
    assert len(counts) == 81
    # 400 expected in each; the standard deviation is 20.
    assert counts.min() > 300
    assert counts.max() < 500


def test_half_of_the_images_are_flipped():
    _, flips = draws_of(10_000, 4, True)
    assert flips.dtype == torch.bool
    assert 4_800 < flips.sum() < 5_200


def test_flips_and_crops_do_not_change_each_other():
    offsets, flips = draws_of(100, 4, True)
    assert torch.equal(draws_of(100, 4, False)[0], offsets)
    assert torch.equal(draws_of(100, 0, True)[1], flips)
    assert not draws_of(100, 4, False)[1].any()
    assert not draws_of(100, 0, True)[0].any()


@given(longer=st.integers(1, 300), seed=st.integers(0, 100))
def test_augmentation_draws_depend_only_on_their_generators(longer, seed):
    torch.manual_seed(seed)
    before = torch.get_rng_state()
    first = draws_of(longer, 4, True, seed)
    assert torch.equal(torch.get_rng_state(), before)
    again = draws_of(longer, 4, True, seed)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@given(channels=st.sampled_from([1, 3]), seed=st.integers(0, 100))
def test_normalize_equals_torchvision(channels, seed):
    images = images_of(3, channels, 5, 4, seed)
    mean, std = (0.4914, 0.4822, 0.4465)[:channels], (0.2023, 0.1994, 0.2010)[:channels]
    from torchvision.transforms import functional

    expected = functional.normalize(functional.convert_image_dtype(images), mean, std)
    for given_images in (images, images.to(torch.float32) / 255):
        made = normalize(given_images, mean, std)
        assert made.dtype == torch.float32
        assert torch.equal(made, expected)


def test_normalize_keeps_its_argument_and_passes_gradients():
    pixels = torch.full((1, 1, 2, 2), 0.5, requires_grad=True)
    with torch.inference_mode():  # what is kept from here must serve where gradients are wanted
        normalize(pixels, (0.1234,), (0.25,))
    normalize(pixels, (0.1234,), (0.25,)).sum().backward()
    assert torch.equal(pixels.detach(), torch.full((1, 1, 2, 2), 0.5))
    assert pixels.grad is not None
    assert torch.equal(pixels.grad, torch.full((1, 1, 2, 2), 4.0))


def test_normalize_refuses_integers_other_than_uint8():
    with pytest.raises(TypeError, match="int64"):
        normalize(torch.zeros((1, 1, 2, 2), dtype=torch.int64), (0.0,), (1.0,))
