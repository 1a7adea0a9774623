"""The images of a run: what it trains on, what it is validated on, and what it is tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from trainers.config.job import Member
from trainers.config.run import RunConfig
from trainers.data.labelled_images import HeldImages, LabelledImages
from trainers.data.loading import Part, left_out, load, training_subset
from trainers.data.streaming.reading import Reader, open_reader
from trainers.data.streaming.source import Streamed
from trainers.data.streaming.views import CentreView
from trainers.evaluation.batches import EVALUATION_BATCH
from trainers.rng import seeded_generator
from trainers.training.batches import Batch, TrainingImages
from trainers.training.held_images import HeldTrainingImages
from trainers.training.streamed_images import StreamedImages, StreamedTrainingImages

_BATCHES_AHEAD = 2
"""Of a process, that are decoded before they are asked for."""


def _alive() -> None:
    """Nobody wants to know."""


class RunImages:
    """All images of a run.

    Attributes:
        training: those that it trains on.
        test: those that it is tested on, of all processes.
        validation: those that are left out of training, as those for tests are; None for none.
        left_out: sentences about images of the dataset that cannot be decoded.
        labels_sha256: of the labels of all of them, in their order.

    Args:
        member: which of several processes this is; None for the only one.
        workers: processes that decode images which are not in memory; 0 to decode them here.
        heartbeat: called as these come.

    Raises DatasetMissingError if the dataset is not on this machine.
    """

    def __init__(
        self,
        config: RunConfig,
        data_dir: Path,
        device: torch.device,
        member: Member | None = None,
        *,
        workers: int = 0,
        heartbeat: Callable[[], None] = _alive,
    ) -> None:
        dataset = config.dataset
        train, test = load(dataset.name, data_dir, config.dataset_facts, heartbeat=heartbeat)
        self.left_out = list(left_out(train, test))
        train, validation = _split(config, training_subset(train, dataset.subset), test)
        self.labels_sha256 = _labels_sha256(train, test, validation)
        parts = [part for part in (train, test, validation) if isinstance(part, Streamed)]
        ahead = _BATCHES_AHEAD * config.training.batch_size
        self._reader = _opened(parts, workers, ahead, heartbeat)
        self.training: TrainingImages
        self.validation: LabelledImages | None = None
        with ExitStack() as on_error:  # such as no memory on the device
            on_error.callback(self.close)
            if isinstance(train, Streamed):
                assert self._reader is not None
                self.training = StreamedTrainingImages(config, train, self._reader, device, member)
            else:
                self.training = HeldTrainingImages(config, train, device, member)
            self.test = _tested(test, parts, self._reader, device)
            if validation is not None:
                self.validation = _tested(validation, parts, self._reader, device)
            on_error.pop_all()

    @property
    def count(self) -> int:
        """Images of an epoch, of all processes together."""
        return self.training.count

    def batches(self, epoch: int) -> Iterator[Batch]:
        """See TrainingImages."""
        return self.training.batches(epoch)

    def close(self) -> None:
        """Gives back what reading them has taken; there are no images afterwards."""
        if self._reader is not None:
            self._reader.close()


@contextmanager
def opened_tests(
    config: RunConfig,
    data_dir: Path,
    device: torch.device,
    *,
    workers: int = 0,
    heartbeat: Callable[[], None] = _alive,
) -> Iterator[LabelledImages]:
    """Those that a run is tested on, without the ones it trains on; see `RunImages`."""
    _, test = load(config.dataset.name, data_dir, config.dataset_facts, heartbeat=heartbeat)
    parts = [test] if isinstance(test, Streamed) else []
    reader = _opened(parts, workers, EVALUATION_BATCH, heartbeat)
    try:
        yield _tested(test, parts, reader, device)
    finally:
        if reader is not None:
            reader.close()


def _opened(
    parts: Sequence[Streamed], workers: int, ahead: int, heartbeat: Callable[[], None]
) -> Reader | None:
    if not parts:
        return None
    return open_reader(parts, workers=workers, ahead=ahead, heartbeat=heartbeat)


def _tested(
    part: Part, parts: Sequence[Streamed], reader: Reader | None, device: torch.device
) -> LabelledImages:
    if isinstance(part, Streamed):
        assert reader is not None
        (number,) = (number for number, other in enumerate(parts) if other is part)
        return StreamedImages(part, reader, number, device)
    images = torch.tensor(part.images, device=device)
    return HeldImages(images, torch.tensor(part.labels, device=device))


def _labels_sha256(*parts: Part | None) -> str:
    digest = hashlib.sha256()
    for part in parts:
        labels = b"" if part is None else part.labels.tobytes()
        digest.update(f"{len(labels)} ".encode() + labels)
    return digest.hexdigest()


def _split(config: RunConfig, train: Part, test: Part) -> tuple[Part, Part | None]:
    """What is trained on, and what is validated on, each in the order of the dataset.

    Images of which parts are drawn in training are validated as tests see them.
    """
    size = config.training.validation_images(len(train))
    if not size:
        return train, None
    generator = seeded_generator(config.seed, "validation")
    order = torch.randperm(len(train), generator=generator).numpy()
    trained, validated = np.sort(order[size:]), np.sort(order[:size])
    validation = train.of(validated)
    if isinstance(validation, Streamed) and validation.view.is_drawn:
        centre = CentreView(validation.view.size)
        view = test.view if isinstance(test, Streamed) else centre
        validation = replace(validation, view=view)
    return train.of(trained), validation
