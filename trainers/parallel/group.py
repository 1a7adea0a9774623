"""The processes that train one network together, and what they tell each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from trainers.config.job import Member
from trainers.errors import PeerLostError
from trainers.parallel.rendezvous import await_all, connect, over_the_interface_to

_WAITING = timedelta(days=7)
"""A process may wait for another for so long. That one is hung is found by whoever started them,
who sees that none makes progress; that one is gone is seen at once."""

_FEW = 2**14
"""Numbers of all processes, up to which they are gathered to be added up. Of 33 in two processes of
one machine gloo gathers in 0.7 ms; its `all_reduce`, whose parts go round, takes 2.2 ms."""


class Group:
    """The processes of one attempt of a run, seen from one of them.

    Every method is called by all of them in the same order, and waits for them. Each raises
    PeerLostError if one is gone.

    Attributes:
        rank: this one's, from 0.
        processes: how many there are.
        process_group: torch's; None for the only process, and once it is closed.
    """

    def __init__(self, member: Member | None, device: torch.device) -> None:
        self.rank, self.processes = (0, 1) if member is None else (member.rank, member.processes)
        self._device = device
        self.process_group: Any = None
        if member is not None and member.processes > 1:
            self._join(member)

    def _join(self, member: Member) -> None:
        store = connect(member.address)
        backend = "nccl" if self._device.type == "cuda" else "gloo"
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)
        await_all(store, self.rank, self.processes)
        with lost_peers_named(), over_the_interface_to(member.address):
            dist.init_process_group(
                backend,
                store=store,
                rank=self.rank,
                world_size=self.processes,
                timeout=_WAITING,
            )
            self.process_group = dist.group.WORLD
            # Connections are made now, so that one that cannot be made is no failure of training.
            try:
                self.sum(torch.zeros(1, device=self._device))
            except BaseException:
                self.close(failed=True)
                raise

    def sum(self, tensor: Tensor) -> Tensor:
        """The tensor, changed in place to the sum of all processes' tensors.

        Of the same bits in all of them, and whenever the same is summed.
        """
        if self.process_group is None:
            return tensor
        if tensor.numel() * self.processes <= _FEW:
            return tensor.copy_(self.gather(tensor).sum(0))
        with lost_peers_named():
            dist.all_reduce(tensor, group=self.process_group)
        return tensor

    def gather(self, tensor: Tensor) -> Tensor:
        """(processes, *shape): the tensors of all, in order of rank."""
        found = tensor.new_empty((self.processes, *tensor.shape))
        if self.process_group is None:
            return found.copy_(tensor[None])
        with lost_peers_named():
            dist.all_gather(list(found.unbind()), tensor.contiguous(), group=self.process_group)
        return found

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        if self.process_group is None:
            return flag
        return bool(self.sum(torch.tensor(int(flag), device=self._device)))

    def differing(self, digest: str) -> list[int]:
        """The ranks of processes that have another digest than rank 0.

        Args:
            digest: hexadecimal, of one length.
        """
        own = torch.frombuffer(bytearray.fromhex(digest), dtype=torch.uint8)
        found = self.gather(own.to(self._device)).cpu()
        return [rank for rank in range(self.processes) if not found[rank].equal(found[0])]

    def from_first(self, data: bytes | None) -> bytes:
        """What rank 0 has, to which the others give None."""
        if self.process_group is None:
            return data or b""
        size = torch.tensor(0 if data is None else len(data), device=self._device)
        self.copy_first([size])
        content = torch.empty(int(size), dtype=torch.uint8)
        if data:
            content = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        content = content.to(self._device)
        if len(content):
            self.copy_first([content])
        return bytes(content.cpu().numpy().tobytes())

    @torch.no_grad()
    def copy_first(self, tensors: Iterable[Tensor]) -> None:
        """Change each tensor in place to that of rank 0."""
        if self.process_group is None:
            return
        # All of one type are sent at once: a network has hundreds of small ones.
        by_type: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            by_type.setdefault(tensor.dtype, []).append(tensor)
        for alike in by_type.values():
            sent = torch.cat([tensor.reshape(-1) for tensor in alike])
            with lost_peers_named():
                dist.broadcast(sent, 0, group=self.process_group)
            parts = torch.split(sent, [tensor.numel() for tensor in alike])
            for tensor, part in zip(alike, parts, strict=True):
                tensor.copy_(part.view(tensor.shape))

    def close(self, *, failed: bool = False) -> None:
        """Leave: the others see that this one is gone. A group that is closed stays so.

        Args:
            failed: whether the others may still wait for this one. NCCL waits for them as it
                closes, for ever then, and may do so as it aborts: it ends with the process, which
                can say meanwhile what has happened.
        """
        if self.process_group is not None:
            self.process_group = None
            if not (failed and self._device.type == "cuda"):
                dist.destroy_process_group()


@contextmanager
def joined(member: Member | None, device: torch.device) -> Iterator[Group]:
    """The group that this process is a member of, until the end of the block."""
    group = Group(member, device)
    try:
        yield group
    except BaseException:
        # Also of one that stops, which may be alone: where it waited for storage.
        group.close(failed=True)
        raise
    group.close()


@contextmanager
def lost_peers_named() -> Iterator[None]:
    """Errors that come of a process that is gone leave the block as PeerLostError."""
    try:
        yield
    except PeerLostError:
        raise
    except RuntimeError as error:
        if not _is_of_communication(error):
            raise
        raise PeerLostError(
            f"another process of this run is gone, or cannot be reached: {error}"
        ) from error


def _is_of_communication(error: RuntimeError) -> bool:
    # Gloo has no class of errors; what it raises begins with the place in its source.
    return isinstance(error, dist.DistError) or "/gloo/" in str(error)
