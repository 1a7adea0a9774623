import math

from hypothesis import given
from hypothesis import strategies as st

from trainers.data.sharding import shards

COUNTS = st.integers(1, 300)
SIZES = st.integers(1, 20)
FEW = st.integers(1, 5)


def every(count, size, accumulation, processes):
    """The shards of each process, round by round."""
    of = [
        shards(count, size, accumulation=accumulation, rank=rank, processes=processes)
        for rank in range(processes)
    ]
    return list(zip(*of, strict=True))


@given(COUNTS, SIZES, FEW, FEW)
def test_each_image_comes_once_and_in_the_order_of_ranks(count, size, accumulation, processes):
    rounds = every(count, size, accumulation, processes)
    places = [place for round_ in rounds for s in round_ for place in range(s.start, s.stop)]
    assert places == list(range(count))


@given(COUNTS, SIZES, FEW, FEW)
def test_the_last_round_is_split_evenly_and_all_others_are_whole(
    count, size, accumulation, processes
):
    *whole, last = every(count, size, accumulation, processes)
    assert {shard.size for round_ in whole for shard in round_} <= {size}
    sizes = [shard.size for shard in last]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] - sizes[-1] <= 1
    assert sizes[0] <= size
    for round_ in (*whole, last):
        assert {shard.whole for shard in round_} == {sum(shard.size for shard in round_)}
        assert [shard.before for shard in round_] == [s.start - round_[0].start for s in round_]


@given(COUNTS, SIZES, FEW, FEW)
def test_all_processes_end_their_steps_together_and_their_shares_are_of_one(
    count, size, accumulation, processes
):
    total, steps, rounds_of_step = 0.0, 0, 0
    for round_ in every(count, size, accumulation, processes):
        (ends,) = {shard.ends_step for shard in round_}
        total += math.fsum(shard.share for shard in round_)
        rounds_of_step += 1
        if ends:
            assert math.isclose(total, 1)
            assert rounds_of_step <= accumulation
            total, rounds_of_step, steps = 0.0, 0, steps + 1
    assert rounds_of_step == 0
    assert steps == -(-count // (size * accumulation * processes))


@given(COUNTS, SIZES, FEW)
def test_one_process_has_batches_in_order_of_which_the_last_has_what_is_left(
    count, size, accumulation
):
    a_step = size * accumulation
    expected = []
    for start in range(0, count, size):
        stop = min(start + size, count)
        step_end = min(start // a_step * a_step + a_step, count)
        step = step_end - start // a_step * a_step
        size_here = stop - start
        expected.append((start, stop, 0, size_here, size_here / step, stop == step_end))
    assert list(map(tuple, shards(count, size, accumulation=accumulation))) == expected


def test_a_process_may_have_none_of_the_last_images():
    assert [s.size for s in shards(9, 2, rank=0, processes=4)] == [2, 1]
    assert [s.size for s in shards(9, 2, rank=3, processes=4)] == [2, 0]
