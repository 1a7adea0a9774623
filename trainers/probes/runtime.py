"""Seconds of an epoch and of a test, images a second, and the size of the weights.

As ZeroSNet's Table 9 (training and test runtime by batch size) and Newton-ResNet's Table 6 (images
a second of inference, megabytes of the model). A few batches are timed, and an epoch's seconds are
those of an image times the number of images.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from trainers.config.probes import Runtime
from trainers.data.augment import crop_and_flip, draw
from trainers.optim.optimizers import make_optimizer
from trainers.optim.step import Steps
from trainers.probes.subject import Meter, Subject, Value
from trainers.rng import seeded_generator


def meter(config: Runtime, subject: Subject) -> Meter:
    """Times a copy of the network, with generators of its own."""

    def measure(epoch: int) -> Iterator[Value]:
        tensors = subject.network.state_dict().values()
        megabytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors) / 1e6
        yield Value("model_megabytes", "", megabytes)
        for size in config.batch_sizes:
            for part, count, timed in (
                ("train", subject.train_count, _training),
                ("test", len(subject.test), _testing),
            ):
                seconds = float("nan")
                if not subject.diverged():
                    step = timed(subject, size, epoch)
                    seconds = _seconds_a_batch(step, config.batches, subject)
                yield Value(f"{part}_seconds[{size}]", "", seconds / size * count)
                yield Value(f"{part}_images_per_second[{size}]", "", size / seconds)

    return measure


def _seconds_a_batch(step: Callable[[], object], batches: int, subject: Subject) -> float:
    """Mean seconds of the timed batches, after one that warms up."""

    def run(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            subject.heartbeat()
            step()
        if subject.device.type == "cuda":
            torch.cuda.synchronize(subject.device)
        return (time.perf_counter() - started) / count

    run(1)
    return run(batches)


def _training(subject: Subject, size: int, epoch: int) -> Callable[[], object]:
    """A step of training with `size` images: crops, forward and backward pass, and the update."""
    config, device = subject.config, subject.device
    network = subject.copy().train()
    steps = Steps(network, make_optimizer(network, config.training.optimizer), config)
    _begin_epoch(network, config.seed, epoch)
    padding = config.dataset.crop_padding
    offsets, flipped = draw(
        size,
        padding,
        config.dataset.horizontal_flip,
        crops=seeded_generator(config.seed, "crops of timed batches"),
        flips=seeded_generator(config.seed, "flips of timed batches"),
    )
    offsets, flipped = offsets.to(device), flipped.to(device)
    images, labels = subject.train_images(size)
    index = _places(size, len(images), device)
    rate = config.training.learning_rate(epoch)

    def step() -> None:
        pixels = crop_and_flip(images, index, offsets, flipped, padding=padding)
        steps.learn(pixels, labels[index])
        steps.step(rate)

    return step


def _testing(subject: Subject, size: int, epoch: int) -> Callable[[], object]:
    """A forward pass of `size` images in evaluation mode, from uint8 to logits."""
    images = subject.test.at(_places(size, len(subject.test), subject.device)).to(subject.device)

    def step() -> None:
        with subject.measuring():
            subject.network(subject.normalized(images))

    return step


def _places(size: int, count: int, device: torch.device) -> Tensor:
    """A batch of `size` images, some of them twice if there are fewer."""
    return torch.arange(size, device=device) % count


def _begin_epoch(network: nn.Module, seed: int, epoch: int) -> None:
    if begin := getattr(network, "begin_epoch", None):
        begin(lambda purpose: seeded_generator(seed, purpose, epoch))
