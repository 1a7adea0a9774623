"""What autograd keeps of a forward pass until the backward pass needs it, in bytes."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn


class SavedActivations:
    """Counts saved tensors while it is entered: `with SavedActivations(network) as saved: ...`.

    A storage that several tensors share counts once, and parameters and buffers do not count.
    Also counted is what a backward pass saves while it runs, if it runs inside.

    Attributes:
        live: bytes that are kept now.
        peak: the most that were kept at once.
    """

    def __init__(self, network: nn.Module) -> None:
        own = [*network.parameters(), *network.buffers()]
        self._own = {tensor.untyped_storage().data_ptr() for tensor in own}
        self._holders: dict[int, int] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, self._unpack)
        self.live = 0
        self.peak = 0

    def __enter__(self) -> SavedActivations:
        self._hooks.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._hooks.__exit__(*exception)

    def _pack(self, tensor: Tensor) -> Any:
        storage = tensor.untyped_storage()
        address, size = storage.data_ptr(), storage.nbytes()
        if address in self._own:
            return tensor
        held = _Held(tensor.detach())
        holders = self._holders.get(address, 0)
        self._holders[address] = holders + 1
        if holders == 0:
            self.live += size
            self.peak = max(self.peak, self.live)
        weakref.finalize(held, self._release, address, size)
        return held

    def _release(self, address: int, size: int) -> None:
        self._holders[address] -= 1
        if self._holders[address] == 0:
            del self._holders[address]
            self.live -= size

    @staticmethod
    def _unpack(packed: Any) -> Tensor:
        tensor: Tensor = packed.tensor if isinstance(packed, _Held) else packed
        return tensor


class _Held:
    """A saved tensor; while autograd has this, the tensor's memory is not reused."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
