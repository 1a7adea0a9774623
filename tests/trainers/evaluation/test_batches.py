"""How many images pass a network at once when it is measured."""

from __future__ import annotations

import pytest

from trainers.evaluation.batches import forward_batch


@pytest.mark.parametrize(
    ("side", "cuda", "cpu"),
    [(8, 1_000, 125), (64, 1_000, 125), (65, 969, 121), (224, 81, 10), (1_024, 3, 1)],
)
def test_as_many_large_images_as_have_the_pixels_of_small_ones(
    side: int, cuda: int, cpu: int
) -> None:
    assert forward_batch("cuda", side**2) == cuda
    assert forward_batch("cpu", side**2) == cpu
