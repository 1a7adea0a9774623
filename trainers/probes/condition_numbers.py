"""Condition numbers of convolutions, and of residual blocks as the dynamical system's paper has it.

The condition number of a convolution is the ratio of its largest to its smallest singular value as
a linear map of whole images, in Fourier form (see `trainers.probes.singular_values`): of a map
between spaces of different dimensions, of as many singular values as the smaller one has.

A block of two convolutions of stride 1 and equal width has M_1, m_1, M_2, m_2, and

    kappa_R = (M_1 M_2 + 1) / (m_1 m_2 + 1)    with a shortcut (eq. 2)
    kappa_B = M_1 M_2 / (m_1 m_2)              without one (section 3.2).

Both leave normalisation and activations out. kappa_R is what the paper calls the condition number
of W_1 W_2 + I. It need not be: m_1 m_2 + 1 is not always below the smallest singular value of that
map, as W_1 W_2 = -I/2 shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from trainers.config.probes import ConditionNumbers
from trainers.probes.singular_values import circular_singular_values
from trainers.probes.subject import Meter, Subject, Value


class Extremes(NamedTuple):
    """The largest and the smallest singular value."""

    largest: float
    smallest: float


def meter(config: ConditionNumbers, subject: Subject) -> Meter:
    """Measures every convolution that images pass."""
    sizes, uses = _passed(subject)
    layers = layer_names(list(sizes))
    blocks = blocks_of_two(subject.network, sizes, uses)

    def measure(epoch: int) -> Iterator[Value]:
        modules = dict(subject.network.named_modules())
        found: dict[str, Extremes] = {}
        for name, size in sizes.items():
            convolution = modules[name]
            assert isinstance(convolution, nn.Conv2d)
            found[name] = largest, smallest = _extremes(convolution, size, subject)
            yield Value("condition_number", layers[name], _ratio(largest, smallest))
            yield Value("largest_singular_value", layers[name], largest)
            yield Value("smallest_singular_value", layers[name], smallest)
        for block, (first, second) in blocks.items():
            largest = found[first].largest * found[second].largest
            smallest = found[first].smallest * found[second].smallest
            yield Value("kappa_R", f"block{block}", _ratio(largest + 1, smallest + 1))
            yield Value("kappa_B", f"block{block}", _ratio(largest, smallest))

    return measure


def _ratio(largest: float, smallest: float) -> float:
    return largest / smallest if smallest else float("inf")


def _extremes(convolution: nn.Conv2d, size: tuple[int, int], subject: Subject) -> Extremes:
    if not bool(convolution.weight.isfinite().all()):
        return Extremes(float("nan"), float("nan"))
    largest, smallest = 0.0, float("inf")
    for values in circular_singular_values(convolution, size):
        subject.heartbeat()
        largest, smallest = max(largest, float(values.max())), min(smallest, float(values.min()))
    return Extremes(largest, smallest)


def _passed(subject: Subject) -> tuple[dict[str, tuple[int, int]], Counter[str]]:
    """Height and width of what enters each convolution, in the order of first use; uses of each."""
    # A copy, since a compiled graph would notice hooks on the network itself.
    network = subject.copy().eval()
    sizes: dict[str, tuple[int, int]] = {}
    uses: Counter[str] = Counter()

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            sizes.setdefault(name, (inputs[0].shape[2], inputs[0].shape[3]))
            uses[name] += 1

        return hook

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(note(name))
    with torch.no_grad():
        network(
            subject.normalized(
                subject.test.at(torch.zeros(1, dtype=torch.int64)).to(subject.device)
            )
        )
    return sizes, uses


def layer_names(names: list[str]) -> dict[str, str]:
    """Of each module's name its layer: "blocks.3.function.conv1" is "block4.conv1".

    A block's only f needs no name; where two modules would be one layer, it keeps it.
    """
    short = {name: _layer(name, without="function") for name in names}
    counts = Counter(short.values())
    return {name: s if counts[s] == 1 else _layer(name) for name, s in short.items()}


def _layer(name: str, without: str | None = None) -> str:
    parts = name.split(".")
    if parts[0] == "blocks":
        parts = [f"block{int(parts[1]) + 1}", *(part for part in parts[2:] if part != without)]
    return ".".join(parts)


def blocks_of_two(
    network: nn.Module, sizes: dict[str, tuple[int, int]], uses: Counter[str]
) -> dict[int, tuple[str, str]]:
    """The blocks, counted from 1, for which eq. 2 means something, with their convolutions."""
    modules = dict(network.named_modules())
    found: dict[int, tuple[str, str]] = {}
    for number, _ in enumerate(getattr(network, "blocks", ()), start=1):
        names = [name for name in sizes if name.startswith(f"blocks.{number - 1}.")]
        if len(names) != 2 or any(
            uses[name] != 1 or not _is_square(modules[name]) for name in names
        ):
            continue
        first, second = names
        if _width(modules[first]) == _width(modules[second]) and sizes[first] == sizes[second]:
            found[number] = first, second
    return found


def _is_square(module: nn.Module) -> bool:
    assert isinstance(module, nn.Conv2d)
    return set(module.stride) == {1} and module.in_channels == module.out_channels


def _width(module: nn.Module) -> int:
    assert isinstance(module, nn.Conv2d)
    return module.out_channels
