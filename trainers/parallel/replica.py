"""One process's copy of a network that several train together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from inspect import signature
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainers.errors import TrainerError
from trainers.models.batch_norm import BatchNorm
from trainers.parallel.batch_norm import of_no_image, synchronised
from trainers.parallel.group import Group, lost_peers_named

_BUFFERS_STAY: dict[str, Any] = {
    # Of torch before 2.13, and since.
    "forward_sync_buffers"
    if "forward_sync_buffers" in signature(DistributedDataParallel).parameters
    else "broadcast_buffers": False
}


class Replica:
    """A copy of a network, whose gradients become the mean of those of all processes.

    Args:
        network: of the same weights in all processes.
        group: with more than one process.
        synchronised: whether normalisation is by the batches of all processes together.
    """

    def __init__(self, network: nn.Module, group: Group, *, synchronised: bool) -> None:
        self._network = network
        self._group = group
        self._synchronised = synchronised
        self._averaging: DistributedDataParallel | None = None
        for layer in network.modules():
            if isinstance(layer, BatchNorm):
                layer.alone = not synchronised

    def begin_epoch(self) -> None:
        """Forget the order in which gradients came before.

        It decides which of them are summed together, and so, from three processes on, how sums are
        rounded. In an epoch after an interruption nothing is known of the ones before.
        """
        self.close()
        self._averaging = DistributedDataParallel(
            self._network,
            process_group=self._group.process_group,
            # Statistics are rank 0's once an epoch, and equal weights are required then.
            init_sync=False,
            **_BUFFERS_STAY,
            gradient_as_bucket_view=True,
        )

    def passes(self, images: Tensor) -> Tensor:
        """The logits of this process's batch, inside `part`."""
        assert self._averaging is not None
        try:
            logits: Tensor = self._averaging(images)
        except RuntimeError as error:
            if "finished reduction in the prior iteration" not in str(error):
                raise
            raise TrainerError(
                "data_parallel takes a network each of whose parameters has a part in every loss,"
                f" and in the last step some had none: {error}"
            ) from error
        return logits

    @contextmanager
    def part(self, images: int, *, whole: int, before: int, ends_step: bool) -> Iterator[None]:
        """A forward and a backward pass; gradients are averaged in the last one of a step.

        Args:
            images: in this process's batch, 0 for none.
            whole: in the batches of all processes together.
            before: of those, in the batches of lower ranks.
            ends_step: whether no other batch of the step follows.
        """
        assert self._averaging is not None
        if begin := getattr(self._network, "begin_part", None):
            begin(whole, before)
        with ExitStack() as inside:
            inside.enter_context(lost_peers_named())
            if self._synchronised:
                inside.enter_context(synchronised(self._group))
            elif images == 0:
                inside.enter_context(of_no_image())
            if not ends_step:
                inside.enter_context(self._averaging.no_sync())
            yield

    def close(self) -> None:
        """Give up what averages gradients, which keeps connections to the others."""
        if self._averaging is not None:
            # An exception on its way keeps the module; it is to keep nothing of the group.
            for held in ("reducer", "logger", "process_group"):
                setattr(self._averaging, held, None)
            self._averaging = None


def share_buffers(networks: Iterable[nn.Module], group: Group) -> None:
    """Give all copies the buffers that are stored of rank 0's, such as running statistics."""
    for network in networks if group.processes > 1 else ():
        weights = dict(network.named_parameters(remove_duplicate=False))
        stored = network.state_dict()
        group.copy_first(tensor for name, tensor in stored.items() if name not in weights)
