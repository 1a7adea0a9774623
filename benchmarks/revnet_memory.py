"""Memory for activations: RevNet that recomputes them compared with the same network storing them.

    python benchmarks/revnet_memory.py [--depths 38 74 110 218] [--batch 32] [--rounds 3]

One training step each on the CPU, fp32, with images of 32 x 32. Bytes are those that autograd
saves for the backward pass (torch.autograd.graph.saved_tensors_hooks), each storage once, without
parameters and buffers: at the end of the forward pass, and the most at any time of the step.
Seconds are of the quickest of the rounds, in which both kinds alternate.
"""

from __future__ import annotations

import argparse
import time

import torch
from saved_activations import SavedActivations
from torch.nn import functional

from trainers.models import MODELS


def network_of(depth: int, recompute: bool) -> torch.nn.Module:
    """RevNet of the widths of RevNet-110 for 10 classes, the same weights for both kinds."""
    architecture = MODELS["revnet"]
    options = architecture.options.model_validate(
        {"name": "revnet", "depth": depth, "widths": [32, 64, 128], "recompute": recompute}
    )
    return architecture.build(
        options, None, channels=3, classes=10, generator=torch.Generator().manual_seed(0)
    )


def bytes_saved(network: torch.nn.Module, images: torch.Tensor) -> tuple[int, int]:
    """After the forward pass, and the most during the whole step."""
    labels = torch.zeros(len(images), dtype=torch.int64)
    with SavedActivations(network) as saved:
        loss = functional.cross_entropy(network(images), labels)
        after_forward = saved.live
        loss.backward()  # type: ignore[no-untyped-call]
    return after_forward, saved.peak


def seconds(network: torch.nn.Module, images: torch.Tensor) -> float:
    labels = torch.zeros(len(images), dtype=torch.int64)
    started = time.perf_counter()
    loss = functional.cross_entropy(network(images), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--depths", type=int, nargs="+", default=[38, 74, 110, 218])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    images = torch.randn(options.batch, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    images = images.contiguous(memory_format=torch.channels_last)

    print(f"{options.batch} images, {options.threads} thread(s), torch {torch.__version__}")
    print("MB kept: after the forward pass / at most in a step; seconds a step")
    print(f"{'depth':>5} | {'recomputing':^24} | {'keeping':^24} | {'less':>6} {'time':>6}")
    for depth in options.depths:
        kinds = [
            network_of(depth, recompute).to(memory_format=torch.channels_last)
            for recompute in (True, False)
        ]
        kept = [bytes_saved(network, images) for network in kinds]
        times = [[seconds(network, images) for network in kinds] for _ in range(options.rounds)]
        best = [min(row) for row in zip(*times, strict=True)]
        cells = [
            f"{forward / 1e6:7.1f} / {peak / 1e6:6.1f} {taken:6.2f} s"
            for (forward, peak), taken in zip(kept, best, strict=True)
        ]
        fewer, slower = kept[1][1] / kept[0][1], best[0] / best[1]
        print(f"{depth:>5} | {' | '.join(cells)} | {fewer:5.1f}x {slower:5.2f}x", flush=True)


if __name__ == "__main__":
    main()
