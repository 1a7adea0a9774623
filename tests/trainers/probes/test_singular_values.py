"""The Fourier form of a convolution has the singular values of its dense matrix."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainers.probes.singular_values import circular_singular_values


def convolution(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, dilation: int = 1
) -> nn.Conv2d:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Conv2d(
            inputs,
            outputs,
            kernel,
            stride=stride,
            padding=dilation * (kernel // 2),
            groups=groups,
            dilation=dilation,
            bias=False,
        ).double()


def dense(conv: nn.Conv2d, size: tuple[int, int], padding: str = "circular") -> Tensor:
    """The convolution's matrix, column by column from the images of a basis."""
    count = conv.in_channels * size[0] * size[1]
    images = torch.eye(count, dtype=torch.float64).view(count, conv.in_channels, *size)
    margin = conv.dilation[0] * (conv.kernel_size[0] // 2)
    if padding == "circular":
        # By hand: torch's circular padding refuses a kernel that is larger than the image.
        rows = torch.arange(-margin, size[0] + margin) % size[0]
        columns = torch.arange(-margin, size[1] + margin) % size[1]
        images = images[:, :, rows][:, :, :, columns]
        margin = 0
    out = functional.conv2d(
        images, conv.weight, None, conv.stride, margin, conv.dilation, conv.groups
    )
    return out.flatten(1).T.detach()


def fourier(conv: nn.Conv2d, size: tuple[int, int]) -> Tensor:
    return torch.cat(list(circular_singular_values(conv, size))).sort(descending=True).values


CASES = {
    "square": (convolution(3, 3, 3), (6, 6)),
    "more channels": (convolution(2, 5, 3), (6, 4)),
    "fewer channels": (convolution(5, 2, 3), (5, 7)),
    "odd sides": (convolution(2, 2, 3), (5, 3)),
    "stride 2": (convolution(3, 4, 3, stride=2), (6, 6)),
    "stride 2 with many channels": (convolution(2, 9, 3, stride=2), (4, 6)),
    "stride 3": (convolution(2, 3, 3, stride=3), (6, 9)),
    "1x1": (convolution(4, 3, 1), (4, 5)),
    "1x1 of stride 2": (convolution(3, 5, 1, stride=2), (4, 6)),
    "1x1 of stride 2 in groups": (convolution(4, 6, 1, stride=2, groups=2), (4, 4)),
    "groups": (convolution(4, 6, 3, groups=2), (4, 5)),
    "groups of stride 2": (convolution(6, 6, 3, groups=3, stride=2), (4, 4)),
    "each channel alone": (convolution(4, 4, 3, groups=4), (5, 4)),
    "7x7 on less": (convolution(2, 2, 7), (4, 4)),
    "7x7 of stride 2": (convolution(1, 3, 7, stride=2), (8, 8)),
    "dilation": (convolution(2, 3, 3, dilation=2), (6, 6)),
    "one pixel": (convolution(3, 3, 3), (1, 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_singular_values_match_those_of_the_dense_matrix(name: str) -> None:
    conv, size = CASES[name]
    expected = torch.linalg.svdvals(dense(conv, size))
    torch.testing.assert_close(fourier(conv, size), expected, rtol=0, atol=1e-9)


def test_singular_values_do_not_depend_on_the_batch_of_frequencies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conv = convolution(3, 4, 3, stride=2)
    whole = fourier(conv, (10, 12))
    monkeypatch.setattr("trainers.probes.singular_values._ELEMENTS_AT_ONCE", 1)
    parts = list(circular_singular_values(conv, (10, 12)))
    assert len(parts) == 5
    torch.testing.assert_close(torch.cat(parts).sort(descending=True).values, whole)


def test_a_side_that_the_stride_does_not_divide_is_rounded_up() -> None:
    conv = convolution(2, 3, 3, stride=2)
    assert torch.equal(fourier(conv, (7, 5)), fourier(conv, (8, 6)))


def test_pixels_skipped_by_a_strided_1x1_convolution_have_singular_value_0() -> None:
    values = fourier(convolution(2, 4, 1, stride=2), (4, 4))
    assert int((values == 0).sum()) == 2 * 4  # two channels of the 2x2 pixels that are left


def test_a_rank_deficient_kernel_has_exact_zero_singular_values() -> None:
    conv = convolution(3, 3, 3)
    with torch.no_grad():
        conv.weight[2] = conv.weight[0] + conv.weight[1]
    assert int((fourier(conv, (4, 4)) == 0).sum()) == 16


def test_zero_padding_keeps_the_largest_singular_value_and_shrinks_the_smallest() -> None:
    # What docs/probes.md warns of.
    conv, size = convolution(3, 3, 3), (12, 12)
    padded = torch.linalg.svdvals(dense(conv, size, padding="zeros"))
    circular = fourier(conv, size)
    assert padded[0] != circular[0]
    assert abs(float(padded[0] / circular[0]) - 1) < 0.05
    assert padded[-1] < circular[-1] / 2


def test_singular_values_of_float32_weights_are_computed_in_float64() -> None:
    conv = convolution(2, 2, 3)
    single = fourier(conv.float(), (4, 4))
    torch.testing.assert_close(single, fourier(conv.double(), (4, 4)), rtol=0, atol=0)
