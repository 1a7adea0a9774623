"""Multiply-adds of a network's forward pass, without its numbers."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from typing_extensions import override

_ATEN = torch.ops.aten
_ELEMENTWISE = frozenset({_ATEN.add.Tensor, _ATEN.mul.Tensor, _ATEN.relu.default, _ATEN.sub.Tensor})


class MultiplyAdds(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts while it is active, by the formulas of `torch.utils.flop_counter`.

    Of some operations only the result's shape is made, without torch's functions for the meta
    device: they are written in Python, slow, and import torch's compiler.

    Args:
        apart: a module whose own operations do not count; of anything else, all count.
    """

    def __init__(self, apart: object = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._operations = 0
        if isinstance(apart, nn.Module):
            before: list[int] = []
            apart.register_forward_pre_hook(lambda *_: before.append(self._operations))
            apart.register_forward_hook(lambda *_: self._reset(before.pop()))

    @classmethod
    @override
    def _should_skip_dynamo(cls) -> bool:
        # Nothing is compiled here, and to be skipped torch's compiler would have to be imported.
        return False

    @override
    def __enter__(self) -> Self:
        # Its fused form is one function, of which torch has no formula.
        self._fused_attention = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    @override
    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        torch.backends.mha.set_fastpath_enabled(self._fused_attention)

    @property
    def total(self) -> int:
        """Half the operations of convolutions and matrix products."""
        return self._operations // 2

    def _reset(self, operations: int) -> None:
        self._operations = operations

    @override
    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _ELEMENTWISE and _alike(*args):
            return torch.empty_like(args[0])
        if func is _ATEN.native_batch_norm.default and _normalises(*args):
            # Of a batch, a number a channel: evaluation has none.
            mean, deviation = (args[0].new_empty(args[0].shape[1] * args[5]) for _ in range(2))
            return torch.empty_like(args[0]), mean, deviation
        if func is _ATEN.mean.dim and _numbers_on_meta(args[0]):
            return _ATEN.sum.dim_IntList(*args, **(kwargs or {}))  # has the same shape
        formula = flop_registry.get(func._overloadpacket)
        if formula is None and torch.is_inference_mode_enabled():
            # Where nothing is recorded for gradients, linear layers come here in one piece.
            with self:
                result = func.decompose(*args, **(kwargs or {}))
            if result is not NotImplemented:
                return result
        if func is _ATEN.addmm.default and _fit(*args):
            result = args[1].new_empty(args[1].shape[0], args[2].shape[1])
        else:
            result = func(*args, **(kwargs or {}))
        if formula is not None:
            self._operations += formula(*args, **(kwargs or {}), out_val=result)
        return result


def _alike(first: Any, *others: Any) -> bool:
    """Whether the result of an elementwise operation is on the meta device, and as the first."""
    return _numbers_on_meta(first) and all(
        not isinstance(other, Tensor)
        or not other.dim()
        or (other.shape == first.shape and other.dtype == first.dtype)
        for other in others
    )


def _normalises(images: Any, weight: Any, bias: Any, mean: Any, *rest: Any) -> bool:
    """Whether batch normalisation leaves images as many as they were."""
    channels = images.shape[1:2]
    fits = mean is not None and mean.shape == channels
    return _numbers_on_meta(images) and fits and (weight is None or weight.shape == channels)


def _fit(bias: Any, first: Any, second: Any) -> bool:
    """Whether two matrices can be multiplied, and the bias added to each row."""
    fits = first.shape[1] == second.shape[0] and bias.shape == second.shape[1:]
    return _numbers_on_meta(first) and fits


def _numbers_on_meta(value: Any) -> bool:
    return (
        isinstance(value, Tensor)
        and value.dim() > 0
        and value.is_meta
        and value.is_floating_point()
    )
