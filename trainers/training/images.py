"""The images of a run: what it trains on, what it is validated on, and what it is tested on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from trainers.config.job import Member
from trainers.config.run import RunConfig
from trainers.data.labelled_images import HeldImages, LabelledImages
from trainers.data.loading import Split, load, training_subset
from trainers.rng import seeded_generator
from trainers.training.batches import Batch
from trainers.training.held_images import HeldTrainingImages


class RunImages:
    """All images of a run.

    Attributes:
        training: those that it trains on.
        test: those that it is tested on, of all processes.
        validation: those that are left out of training, as those for tests are; None for none.

    Raises DatasetMissingError if the dataset is not on this machine.
    """

    def __init__(
        self,
        config: RunConfig,
        data_dir: Path,
        device: torch.device,
        member: Member | None = None,
    ) -> None:
        dataset = config.dataset
        train_split, test_split = load(dataset.name, data_dir, config.dataset_facts)
        train_split = training_subset(train_split, dataset.subset)
        train_split, validation = _split(config, train_split)
        self.training = HeldTrainingImages(config, train_split, device, member)
        self.test: LabelledImages = held(test_split, device)
        self.validation: LabelledImages | None = None
        if validation is not None:
            self.validation = held(validation, device)

    @property
    def count(self) -> int:
        """Images of an epoch, of all processes together."""
        return self.training.count

    def batches(self, epoch: int) -> Iterator[Batch]:
        """See TrainingImages."""
        return self.training.batches(epoch)

    def close(self) -> None:
        """Gives back what reading them has taken; there are no images afterwards."""


def held(split: Split, device: torch.device) -> HeldImages:
    """The images of a part of a dataset on this device, in its order."""
    images = torch.tensor(split.images, device=device)
    return HeldImages(images, torch.tensor(split.labels, device=device))


def _split(config: RunConfig, train: Split) -> tuple[Split, Split | None]:
    """What is trained on, and what is validated on, each in the order of the dataset."""
    size = config.training.validation_images(len(train))
    if not size:
        return train, None
    generator = seeded_generator(config.seed, "validation")
    order = torch.randperm(len(train), generator=generator).numpy()
    trained, validated = np.sort(order[size:]), np.sort(order[:size])
    return (
        Split(train.images[trained], train.labels[trained]),
        Split(train.images[validated], train.labels[validated]),
    )
