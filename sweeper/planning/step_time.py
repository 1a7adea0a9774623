"""How long a run takes on a slot: what its network computes and moves, by a device's figures.

docs/estimates.md has the model in words, where each of these constants comes from, and how far it
is off where there are measurements.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from sweeper.planning.devices import Device
from sweeper.planning.slot import Slot
from trainers.config.run import RunConfig

EVALUATION_SHARE = 0.3
"""Cost of a test image relative to a training image: the forward pass without the backward one."""

_OF_FP32 = 0.7
_OF_TENSOR_CORES = 0.45
_OF_BANDWIDTH = 0.8
"""What training reaches of a device's figures."""

_PASSES = 3
"""Forward passes whose work a step of training is: the backward pass computes two gradients."""

_HOST_SECONDS = (25e-6, 60e-6, 150e-6)
"""That a GPU's host needs for an operation of the forward pass, forward and backward: least, usual,
and as ZeroSNet's Table 9 has it."""

_CORE_SECONDS = (5e-6, 15e-6, 40e-6)
"""The same where a CPU computes as well."""

_OFF = 1.6
"""By how much the device's own time may be more or less."""

_SHARING = 0.7
"""What processes that share a GPU get of it together, against one that keeps it busy alone."""

_COMPILED_BYTES, _COMPILED_HOST = 0.5, 0.3
"""Left of them in a compiled graph, which makes one operation of several."""

_MORE_CORES = 0.9
"""What a second core adds, as an exponent."""

_OPTIMIZER_BYTES = 32
"""Moved for each parameter in a step: weight, gradient and state are read and written."""

_LINK = 1e10
"""Bytes a second at which processes exchange gradients: PCIe, or a network of 100 Gbit/s."""


@dataclass(frozen=True)
class Seconds:
    """An expected time, and bounds that it should lie between."""

    low: float
    usual: float
    high: float

    def times(self, factor: float) -> Seconds:
        """Of so many times the work."""
        return Seconds(self.low * factor, self.usual * factor, self.high * factor)


def run_seconds(config: RunConfig, slot: Slot, passes: int) -> Seconds:
    """Of training, the tests on the way, and `passes` over the test images to evaluate.

    Raises TrainerError if the network cannot be built.
    """
    recipe = config.training
    tested = config.dataset_facts.test_images * (recipe.tests + passes) / recipe.processes
    return _seconds(config, slot, recipe.epochs, EVALUATION_SHARE * tested)


def training_seconds(config: RunConfig, slot: Slot) -> Seconds:
    """Of one epoch, without tests."""
    return _seconds(config, slot, 1, 0)


def _seconds(config: RunConfig, slot: Slot, epochs: int, more_images: float) -> Seconds:
    """Args: more_images: by whose training instead of their tests these are counted."""
    recipe = config.training
    images = config.train_images * epochs / recipe.processes
    batches = epochs * ceil(config.train_images / (recipe.batch_size * recipe.processes))
    passes = batches + more_images / recipe.batch_size
    steps = epochs * recipe.steps(config.train_images)
    device, cores = slot.device, slot.devices**_MORE_CORES if slot.on_cpu else 1
    busy = (images + more_images) * _image_seconds(config, device) / cores
    exchanged = 2 * 4 * config.parameters * (1 - 1 / recipe.processes)
    moved = _OPTIMIZER_BYTES * config.parameters
    busy += steps * (exchanged / _LINK + moved / (device.bandwidth * _OF_BANDWIDTH))
    host = passes * _operations(config)
    if slot.on_cpu:
        low, usual, high = (busy * off + host * each for off, each in _ON_CPU)
        return Seconds(low, usual, high)
    low, usual, high = (host * each for each in _HOST_SECONDS)
    runs = slot.neighbours
    shared = runs * busy if runs == 1 else runs * busy / _SHARING
    return Seconds(
        max(low, runs * busy / _OFF),
        max(usual, shared),
        # As if one process waited for the other, and the device for its host.
        runs * (busy * _OFF + high),
    )


_ON_CPU = tuple(zip((1 / _OFF, 1, _OFF), _CORE_SECONDS, strict=True))


def _image_seconds(config: RunConfig, device: Device) -> float:
    """A device's own time for one image of training."""
    bits = bits_of(config)
    if bits == 16:
        products = device.tensor16 * (
            _OF_FP32 if device.tensor16 == device.fp32 else _OF_TENSOR_CORES
        )
    elif bits == 64:
        products = device.fp32 * _OF_FP32 / 2
    elif config.precision == "ieee_fp32" or device.tf32 is None:
        products = device.fp32 * _OF_FP32
    else:
        # Torch's float32 leaves it to convolutions to round to TF32.
        products = max(device.fp32 * _OF_FP32, device.tf32 * _OF_TENSOR_CORES)
    computing = 2 * _PASSES * config.multiply_adds_per_image / products
    if (counts := config.counts.training) is None:
        return computing
    bandwidth = device.bandwidth * _OF_BANDWIDTH * 32 / bits
    moving = _PASSES * counts.moved * (_COMPILED_BYTES if config.compile else 1) / bandwidth
    return max(computing, _PASSES * counts.moved_by_products / bandwidth) + moving


def _operations(config: RunConfig) -> float:
    counts = config.counts.training
    if counts is None:
        return 0
    return counts.operations * (_COMPILED_HOST if config.compile else 1)


def bits_of(config: RunConfig) -> int:
    """Of a number that a network computes with: 16, 32 or 64."""
    return next((bits for bits in (16, 64) if str(bits) in config.precision), 32)
