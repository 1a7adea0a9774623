from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.data.streaming.draws import Key, uniforms, whole

KEYS = st.tuples(
    st.builds(Key, st.integers(0, 2**53 - 1), st.integers(0, 10**5)),
    st.sampled_from(["crop", "flip"]),
    st.integers(0, 2**40),
)


def test_draws_are_pinned():
    # Other numbers here are other results of every run with random crops.
    drawn = list(islice(uniforms(Key(7, 3), "crop", 123_456), 3))
    assert drawn == [0.3899152798475295, 0.7216404631971932, 0.570401253644709]


@given(KEYS, KEYS)
def test_only_equal_keys_give_equal_draws(first, second):
    draws = [list(islice(uniforms(*key), 4)) for key in (first, second)]
    assert (draws[0] == draws[1]) == (first == second)


def test_draws_are_uniform_over_images_and_within_one():
    of_images = np.array([next(uniforms(Key(0, 1), "crop", index)) for index in range(20_000)])
    of_one = np.fromiter(islice(uniforms(Key(0, 1), "crop", 0), 20_000), dtype=np.float64)
    for drawn in (of_images, of_one):
        assert 0 <= drawn.min() < 0.001 < 0.999 < drawn.max() < 1
        counts, _ = np.histogram(drawn, bins=20, range=(0, 1))
        # Chi-squared with 19 degrees of freedom: 43.8 is passed once in a thousand times.
        assert ((counts - 1000) ** 2 / 1000).sum() < 43.8


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 10_000))
def test_whole_numbers_are_below_their_count(uniform, count):
    assert 0 <= whole(uniform, count) < count


def test_a_purpose_has_no_slash():
    with pytest.raises(ValueError, match="a purpose has no slash"):
        next(uniforms(Key(0, 0), "a/b", 0))
