"""Normalisation over the batches of several processes is that of one with all of their images."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gang_members import CPU, Case, normalise
from gangs import together
from trainers.parallel.batch_norm import synchronised
from trainers.parallel.group import Group


class _Twice(nn.BatchNorm2d):
    """Without running statistics, as a reversible network normalises for the second time."""

    def forward(self, state: Tensor) -> Tensor:
        first: Tensor = super().forward(state)
        return nn.functional.batch_norm(first * 3, None, None, self.weight, training=True)


def cut(tensor: Tensor, sizes: list[int]) -> list[Tensor]:
    return [part.clone() for part in tensor.split(sizes)]


CASES: dict[str, tuple[list[int], tuple[int, ...], nn.Module]] = {
    "uneven": ([3, 2, 1], (4, 5), nn.BatchNorm2d(3)),
    "two have none": ([2, 0, 0], (1, 2), nn.BatchNorm2d(3, affine=False)),
    "one value in each": ([1, 1, 1], (1, 1), nn.BatchNorm2d(3, momentum=None)),
    "twice": ([4, 1, 0], (2, 2), _Twice(3)),
    "no pixels": ([2, 2, 1], (), nn.BatchNorm1d(3, track_running_stats=False)),
}
SINGLE = "a single value"


def drawn(name: str, dtype: torch.dtype = torch.float64) -> Case:
    """The layer of a case, what enters it, and the gradient of what leaves it."""
    sizes, pixels, layer = CASES[name]
    generator = torch.Generator().manual_seed(0)
    shape = (sum(sizes), 3, *pixels)
    state = torch.randn(shape, dtype=torch.float64, generator=generator) * 2 + 5
    gradient = torch.randn(shape, dtype=torch.float64, generator=generator)
    layer = copy.deepcopy(layer).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=generator)
    if dtype != torch.float64:
        layer = layer.float()
    return Case(cut(state.to(dtype), sizes), cut(gradient.to(dtype), sizes), layer)


def single() -> Case:
    layer = nn.BatchNorm2d(2).double()
    assert layer.running_mean is not None
    assert layer.running_var is not None
    layer.running_mean.copy_(torch.tensor([1.0, 2.0]))
    layer.running_var.copy_(torch.tensor([4.0, 9.0]))
    state = torch.tensor([3.0, 8.0], dtype=torch.float64).view(1, 2, 1, 1)
    return Case(cut(state, [1, 0, 0]), cut(torch.ones_like(state), [1, 0, 0]), layer)


@pytest.fixture(scope="module")
def normalised() -> dict[Any, list[dict[str, Tensor]]]:
    """Of each case what each of three processes has."""
    cases: dict[Any, Case] = {name: drawn(name) for name in CASES}
    cases |= {dtype: drawn("uneven", dtype) for dtype in (torch.float32, torch.bfloat16)}
    cases[SINGLE] = single()
    found = together(3, normalise, cases)
    return {name: [part[name] for part in found] for name in cases}


def in_one(case: Case) -> tuple[Tensor, Tensor, nn.Module]:
    """What leaves the layer of all images together, the gradient of what enters, and the layer."""
    layer = copy.deepcopy(case.layer)
    state = torch.cat(case.states).requires_grad_()
    out = layer(state)
    out.backward(torch.cat(case.gradients))
    assert state.grad is not None
    return out.detach(), state.grad, layer


@pytest.mark.parametrize("name", CASES)
def test_several_normalise_as_one(
    normalised: dict[Any, list[dict[str, Tensor]]], name: str
) -> None:
    found = normalised[name]
    out, d_state, layer = in_one(drawn(name))

    def near(ours: Tensor, theirs: Tensor) -> None:
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)

    near(torch.cat([part["out"] for part in found]), out)
    near(torch.cat([part["d_state"] for part in found]), d_state)
    for key, parameter in layer.named_parameters():
        near(torch.stack([part[f"d_{key}"] for part in found]).sum(0), parameter.grad)
    for key, buffer in layer.named_buffers():
        near(found[0][key], buffer)
        assert all(part[key].equal(found[0][key]) for part in found)


def test_a_single_value_of_all_is_normalised_by_the_running_statistics(
    normalised: dict[Any, list[dict[str, Tensor]]],
) -> None:
    found, *_ = normalised[SINGLE]
    deviations = (torch.tensor([4.0, 9.0], dtype=torch.float64) + 1e-5).sqrt()
    torch.testing.assert_close(found["out"].flatten(), torch.tensor([2.0, 6.0]) / deviations)
    torch.testing.assert_close(found["d_state"].flatten(), 1 / deviations)
    assert found["running_mean"].tolist() == [1, 2]
    assert found["running_var"].tolist() == [4, 9]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_narrow_states_stay_narrow(
    normalised: dict[Any, list[dict[str, Tensor]]], dtype: torch.dtype
) -> None:
    found = normalised[dtype]
    out, d_state, _ = in_one(drawn("uneven", dtype))
    near = {"rtol": 2e-2, "atol": 2e-2} if dtype == torch.bfloat16 else {}
    for key, whole in (("out", out), ("d_state", d_state)):
        ours = torch.cat([part[key] for part in found])
        assert ours.dtype == dtype
        torch.testing.assert_close(ours, whole, **near)


class _Given(TorchDispatchMode):
    """Notes what kernels of normalisation are given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, tuple[Any, ...]] = {}

    def __torch_dispatch__(
        self, kernel: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.given[kernel.__name__] = args
        return kernel(*args, **(kwargs or {}))


@pytest.mark.parametrize("affine", [True, False])
def test_a_backward_pass_gives_the_kernel_of_cuda_all_that_it_takes(affine: bool) -> None:
    """It has to have a weight, and a mean and a deviation of the pass; that of a CPU has not.

    See batch_norm_backward_cuda in PyTorch's aten/src/ATen/native/cuda/Normalization.cu.
    """
    state = drawn("uneven").states[0].requires_grad_()
    with _Given() as noted, synchronised(Group(None, CPU)):
        nn.BatchNorm2d(3, affine=affine).double()(state).sum().backward()
    _, _, weight, *_, mean, deviation, training, _, _ = noted.given[
        "native_batch_norm_backward.default"
    ]
    assert not training
    assert weight.equal(torch.ones(3, dtype=torch.float64))
    # Empty ones are those of the running statistics, which are given.
    assert mean.shape == deviation.shape == (0,)
