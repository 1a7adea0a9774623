"""How the images of an epoch are dealt out: to steps, to batches, and to processes.

The order of an epoch is cut into steps of batch_size * accumulation * processes images, and each
step into rounds, in which every process has one batch. The last round of an epoch, which may have
fewer images than batches take, is split as evenly as can be: no image is lost, and none is seen
twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Shard(NamedTuple):
    """The batch of one process in one round.

    Attributes:
        start, stop: places in the epoch's order; the same number twice for no image at all.
        before: images of the round that processes of a lower rank have.
        whole: images of the round, of all processes together.
        share: of the batch among all images of its step, of all processes together.
        ends_step: whether no other round of that step follows.
    """

    start: int
    stop: int
    before: int
    whole: int
    share: float
    ends_step: bool

    @property
    def size(self) -> int:
        """How many images it has."""
        return self.stop - self.start


def shards(
    count: int, batch_size: int, *, accumulation: int = 1, rank: int = 0, processes: int = 1
) -> Iterator[Shard]:
    """The batches of one process in an epoch of `count` images; of all processes equally many.

    Args:
        count: images of an epoch, of all processes together.
        batch_size: images of a batch of one process.
        accumulation: batches of each process in a step of the optimizer.
        rank: which process, 0 to processes - 1.
        processes: how many there are.
    """
    a_round = batch_size * processes
    a_step = a_round * accumulation
    for begin in range(0, count, a_round):
        end = min(begin + a_round, count)
        each, more = divmod(end - begin, processes)
        start = begin + rank * each + min(rank, more)
        stop = start + each + (rank < more)
        step = begin // a_step * a_step
        step_end = min(step + a_step, count)
        yield Shard(
            start,
            stop,
            before=start - begin,
            whole=end - begin,
            share=(stop - start) / (step_end - step),
            ends_step=end == step_end,
        )
