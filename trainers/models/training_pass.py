"""What a forward pass of training keeps, reads and writes, without its numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import flop_registry
from typing_extensions import override

from trainers.models.multiply_adds import MultiplyAdds

IMAGES = 13
"""Of the pass that is counted: a prime, by which tensors that have images are told from weights."""


class TrainingPass(MultiplyAdds):  # type: ignore[no-untyped-call]
    """Counts one forward pass of IMAGES images in training mode, while it is active.

    Only tensors that grow with the batch count, which are those whose first dimension is a multiple
    of IMAGES: neither weights nor statistics of channels. All is in bytes, at the precision of the
    pass.

    Attributes:
        moved: what operations read and wrote, without views, convolutions and matrix products.
        moved_by_products: what these read and wrote.
        operations: that read or wrote anything.
        largest: result of one operation.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.moved = self.moved_by_products = self.operations = self.largest = 0
        own = [*network.parameters(), *network.buffers()]
        self._own = {_storage(tensor) for tensor in own}
        self._kept: dict[int, Tensor] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._keep, lambda kept: kept)

    @override
    def __enter__(self) -> TrainingPass:
        self._hooks.__enter__()
        super().__enter__()
        return self

    @override
    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._hooks.__exit__(*error)

    @property
    def saved(self) -> int:
        """What autograd keeps for the backward pass; a storage that tensors share counts once."""
        return sum(tensor.untyped_storage().nbytes() for tensor in self._kept.values())

    def _keep(self, tensor: Tensor) -> Tensor:
        # Kept alive, so that no other tensor gets the address of its storage.
        if _of_images(tensor) and _storage(tensor) not in self._own:
            self._kept.setdefault(_storage(tensor), tensor.detach())
        return tensor

    @override
    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if not func.is_view:
            written = [tensor.nbytes for tensor in _flat(result) if _of_images(tensor)]
            read = [tensor.nbytes for tensor in _flat(args) if _of_images(tensor)]
            if read or written:
                self.operations += 1
                if func._overloadpacket in flop_registry:
                    self.moved_by_products += sum(read) + sum(written)
                else:
                    self.moved += sum(read) + sum(written)
                self.largest = max(self.largest, *written, 0)
        return result


def _storage(tensor: Tensor) -> int:
    # Tensors on the meta device have no addresses of their own.
    return int(tensor.untyped_storage()._cdata)


def _of_images(tensor: Tensor) -> bool:
    return tensor.dim() > 0 and tensor.shape[0] % IMAGES == 0 and tensor.shape[0] > 0


def _flat(values: Any) -> list[Tensor]:
    if isinstance(values, Tensor):
        return [values]
    if isinstance(values, list | tuple):
        return [tensor for value in values for tensor in _flat(value)]
    return []
