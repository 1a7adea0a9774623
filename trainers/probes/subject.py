"""What a probe is given to measure, and how it passes images through the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from trainers.config.run import RunConfig
from trainers.data.augment import normalize
from trainers.data.labelled_images import LabelledImages
from trainers.evaluation.batches import forward_batch
from trainers.evaluation.measure import evaluation_mode
from trainers.evaluation.precision import autocast, weights_dtype
from trainers.rng import seeded_generator


class Value(NamedTuple):
    """One number: what was measured, and of which layer ("" for the whole network)."""

    quantity: str
    layer: str
    value: float


Meter = Callable[[int], Iterable[Value]]
"""Measures the network as it is now, after the epoch that is given (0: before training).

It changes nothing: neither weights and running statistics, nor modes, nor any generator. Each pair
of quantity and layer comes once.
"""


@dataclass(frozen=True)
class Subject:
    """A network that trains, and its images.

    Attributes:
        network: as it is trained, without compiled graphs; on `device`.
        copy: makes a network of its own with the weights that `network` has at the moment.
        train_count: images of an epoch.
        train_images: called with a number, it gives at least so many of them, or all: images,
            uint8 (N, C, H + 2p, W + 2p), padded by p = the dataset's crop_padding, and labels,
            int64 (N,), on `device`.
        test: those that it is tested on.
        heartbeat: the job's; called before each batch, and between layers.
        diverged: whether it is known that training has diverged.
    """

    config: RunConfig
    device: torch.device
    network: nn.Module
    copy: Callable[[], nn.Module]
    train_count: int
    train_images: Callable[[int], tuple[Tensor, Tensor]]
    test: LabelledImages
    heartbeat: Callable[[], None]
    diverged: Callable[[], bool]

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Evaluation mode, no gradients, the precision of the run; as before afterwards."""
        with (
            torch.no_grad(),
            evaluation_mode(self.network),
            autocast(self.device, self.config.precision),
        ):
            yield

    def normalized(self, images: Tensor) -> Tensor:
        """uint8 (B, C, H, W) -> what the network takes."""
        facts = self.config.dataset_facts
        pixels = normalize(images, facts.mean, facts.std)
        pixels = pixels.to(weights_dtype(self.config.precision))
        return pixels.contiguous(memory_format=torch.channels_last)

    def states(self, chosen: Tensor) -> Iterator[Iterator[Tensor]]:
        """For each batch of the chosen test images the states of stem and blocks; in `measuring`.

        Args:
            chosen: places of test images, (K,), int64, on any device.
        """
        at_once = forward_batch(self.device.type, self.config.dataset_facts.size**2)
        for places in torch.split(chosen, at_once):
            self.heartbeat()
            yield self.states_of(self.normalized(self.test.at(places).to(self.device)))

    def states_of(self, inputs: Tensor) -> Iterator[Tensor]:
        """What leaves the stem and each block, each (B, C, H, W); see Architecture."""
        return cast(Iterator[Tensor], self.network.states(inputs))  # type: ignore[operator]

    def shuffled_tests(self, purpose: str) -> Tensor:
        """The places of all test images in an order that is the same for every run."""
        return torch.randperm(len(self.test), generator=seeded_generator(0, purpose))
