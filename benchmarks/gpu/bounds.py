"""What the memory of a device allows: measured copies, and the bytes that a step must move.

The bytes of one training step of a multistep network, at best, with N images. A tensor that a
later kernel needs is written once, and read once by each kernel that needs it; nothing stays in a
cache between two kernels. (An H200 has 60 MB of level-2 cache, and a state of 128 images at 16
channels is 4 MB in bf16, so a single run may move less than this from and to its memory.) The
kernels are the best that a library without networks of its own could have:

    forward     each convolution normalises its input and takes the ReLU as it reads, and sums up
                the statistics of its output as it writes; the second one of a block also combines
                the states. Projections read the pixels they use, a quarter.
    backward    each convolution's two gradients are one kernel: it reads the gradient of its
                output and its saved input, and writes the gradient of the normalised input, with
                the two sums that the normalisation's gradient needs. That is applied by the kernel
                after it, which for a block's first normalisation also adds up all gradients of
                the state.
    weights     in fp32: read in either pass, their gradients written once; the update reads
                gradient, weight and velocity, and writes weight and velocity.

Activations are fp32 or bf16, images uint8; statistics and the classifier are left out.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from gpu.images import BATCH_SIZE, EPOCHS, TRAINING_IMAGES
from trainers.config.run import Precision, RunConfig
from trainers.models.multistep.options import MultistepOptions, layout_of

_COPIES = 20
_LARGEST_COPY = 4 * 2**30
_CPU_COPY = 32 * 2**20
_BYTES_OF: dict[Precision, int] = {"fp32": 4, "bf16": 2}
_PASSES_OVER_WEIGHTS = 8


def bytes_of_a_step(config: RunConfig, precision: Precision, images: int = BATCH_SIZE) -> int:
    """Bytes read and written by one training step, as the module says.

    Raises:
        TypeError: the config's network is no multistep network.
    """
    if not isinstance(config.model, MultistepOptions):
        raise TypeError(f"{config.model.name} is no multistep network")
    facts, scheme = config.dataset_facts, config.scheme
    assert scheme is not None, "every multistep network has one"
    size = facts.size
    pixels = images * size**2
    # Written by the stem; read as a gradient by its weights'.
    elements = 2 * pixels * config.model.width
    raw_images = 2 * pixels * facts.channels
    layout = layout_of(config.model, scheme)
    for block in layout:
        before = images * block.inputs * size**2
        if block.changes_stage:
            size = (size + 1) // 2
        after = images * block.outputs * size**2
        states = scheme.steps if block.multistep else 1
        projected = before // 4
        forward = before + after  # first convolution
        forward += block.carried * (projected + after)
        forward += after + states * after + after  # second convolution, and the combination
        backward = 3 * after  # second convolution: gradient, saved input; gradient
        backward += 2 * after + 2 * before  # first: gradient, saved input of either; gradient
        backward += block.carried * (after + 2 * projected)
        backward += 2 * before + states * after + before  # the gradients of the state, added up
        elements += forward + backward
    # The head reads the last state; backward, once for sums and once to write its gradient.
    elements += 4 * images * layout[-1].outputs * size**2
    weights = 4 * config.parameters * _PASSES_OVER_WEIGHTS
    return elements * _BYTES_OF[precision] + raw_images + weights


def copy_bandwidth(device: torch.device) -> float:
    """Bytes read and written a second by large copies within the device's memory; a median."""
    size = _CPU_COPY
    if device.type == "cuda":
        size = min(_LARGEST_COPY, torch.cuda.mem_get_info(device)[0] // 8)
    # Numbers that are not all the same: these could be copied faster than what is real.
    source = torch.empty(size // 4, dtype=torch.float32, device=device).uniform_()
    target = torch.empty_like(source)
    target.copy_(source)
    seconds = [_seconds_of_a_copy(source, target) for _ in range(_COPIES)]
    return 2 * source.numel() * 4 / statistics.median(seconds)


def runs_an_hour(images_per_second: float) -> float:
    """Runs of 160 epochs over 50,000 images."""
    return images_per_second * 3600 / (EPOCHS * TRAINING_IMAGES)


def bounds(config: RunConfig, precision: Precision, bandwidth: float) -> dict[str, Any]:
    """What a step would reach if its bytes moved at `bandwidth`."""
    moved = bytes_of_a_step(config, precision)
    rate = BATCH_SIZE * bandwidth / moved
    return {
        "bytes_per_step": moved,
        "images_per_second": round(rate, 1),
        "runs_per_hour": round(runs_an_hour(rate), 1),
    }


def _seconds_of_a_copy(source: torch.Tensor, target: torch.Tensor) -> float:
    if source.device.type != "cuda":
        started = time.perf_counter()
        target.copy_(source)
        return time.perf_counter() - started
    before = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    after = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    before.record()
    target.copy_(source)
    after.record()
    after.synchronize()
    return float(before.elapsed_time(after)) / 1000
