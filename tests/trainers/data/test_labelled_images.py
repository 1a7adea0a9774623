import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainers.data.labelled_images import HeldImages


def numbered(count):
    numbers = torch.arange(count)
    return HeldImages(numbers.to(torch.uint8).view(-1, 1, 1, 1), numbers)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 4))
def test_batches_are_dealt_out_in_turns_and_none_is_lost(count, size, processes):
    images = numbered(count)
    whole = list(images.batches(size))
    assert torch.cat([batch.labels for batch in whole]).tolist() == list(range(count))
    assert [batch.number for batch in whole] == list(range(-(-count // size)))
    for rank in range(processes):
        dealt = list(images.batches(size, rank=rank, processes=processes))
        assert [batch.number for batch in dealt] == [b.number for b in whole[rank::processes]]
        for batch in dealt:
            assert torch.equal(batch.pixels, whole[batch.number].pixels)
            assert torch.equal(batch.labels, whole[batch.number].labels)


def test_images_are_found_by_their_places():
    assert numbered(9).at(torch.tensor([3, 0, 3])).flatten().tolist() == [3, 0, 3]


def test_each_image_has_one_label():
    with pytest.raises(ValueError, match=r"2 images and labels of shape \(1,\)"):
        HeldImages(torch.zeros((2, 1, 1, 1), dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
