"""Counting: what is not asked of torch has the shape and the error that torch would give."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainers.models.multiply_adds import MultiplyAdds


def layers() -> nn.Sequential:
    convolution, norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
    return nn.Sequential(convolution, norm, nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 10)).eval()


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize("recording", [torch.no_grad, torch.inference_mode])
def test_multiply_adds_count_convolutions_and_linear_layers_however_called(device, recording):
    network = layers().to(device)
    with recording(), MultiplyAdds() as counter:
        network(torch.zeros(1, 3, 8, 8, device=device))
    assert counter.total == 3 * 4 * 9 * 64 + 4 * 64 * 10


def test_multiply_adds_exclude_the_module_set_apart():
    network = layers()
    with torch.no_grad(), MultiplyAdds(apart=network[-1]) as counter:
        network(torch.zeros(1, 3, 8, 8))
        network(torch.zeros(1, 3, 8, 8))
    assert counter.total == 2 * 3 * 4 * 9 * 64


def test_multiply_adds_of_attention_are_equal_in_training_and_evaluation():
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    words = torch.zeros(1, 5, 8)
    found = []
    for network in (attention.train(), attention.eval()):
        with torch.no_grad(), MultiplyAdds() as counter:
            network(words, words, words, need_weights=False)
        found.append(counter.total)
    projections, products = 4 * 5 * 8 * 8, 2 * 5 * 5 * 8
    assert found == [projections + products] * 2


@pytest.mark.parametrize("function", [torch.add, torch.mul, torch.sub])
@pytest.mark.parametrize(
    ("first", "other"),
    [((2, 3), (2, 3)), ((2, 3), (3,)), ((3,), (2, 3)), ((), (2, 3)), ((2, 3), ())],
)
def test_counted_shapes_match_torch(function, first, other):
    a, b = torch.zeros(first, device="meta"), torch.zeros(other, device="meta")
    with torch.no_grad(), MultiplyAdds():
        found = function(a, b)
    assert found.shape == function(a, b).shape


def test_counted_dtypes_match_torch():
    whole = torch.zeros(2, dtype=torch.int64, device="meta")
    with torch.no_grad(), MultiplyAdds():
        assert (whole * 0.5).dtype == torch.float32
        assert (whole + torch.zeros(2, device="meta")).dtype == torch.float32
        assert (torch.zeros(2, device="meta") + whole.double()).dtype == torch.float64


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: torch.zeros(2, 3, device="meta") + torch.zeros(2, 2, device="meta"),
        lambda: nn.BatchNorm2d(4, device="meta").eval()(torch.zeros(1, 3, 8, 8, device="meta")),
    ],
)
def test_mismatched_shapes_are_refused_while_counting(wrong):
    with torch.no_grad(), MultiplyAdds(), pytest.raises(RuntimeError):
        wrong()


@pytest.mark.parametrize("apart", [len, "linear"])
def test_what_is_no_module_cannot_be_apart(apart):
    with torch.no_grad(), MultiplyAdds(apart=apart) as counter:
        nn.Linear(3, 2)(torch.ones(1, 3))
    assert counter.total == 6
