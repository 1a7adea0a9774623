"""What the processes that train one network do in common at the end of an epoch, and at the start.

Only rank 0 reads and writes the folders of a run. The others hear from it what it has read, so that
all go on from the same bits wherever they are.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from trainers.errors import DatasetMissingError, TrainerError, TrainingStopped
from trainers.parallel.group import Group
from trainers.stages import during
from trainers.training.checkpoint import weights_sha256
from trainers.training.images import RunImages

Checkpoint = tuple[int, dict[str, Any]]
"""Finished epochs, and the state after them."""


def checkpoint_for_all(group: Group, read: Callable[[], Checkpoint | None]) -> Checkpoint | None:
    """The checkpoint that rank 0 reads, in every process."""
    if group.processes == 1:
        return read()
    sent: bytes | None = None
    if group.rank == 0:
        buffer = io.BytesIO()
        torch.save(read(), buffer)
        sent = buffer.getvalue()
    received = io.BytesIO(group.from_first(sent))
    found: Checkpoint | None = torch.load(received, map_location="cpu", weights_only=True)
    return found


def require_same_weights(group: Group, network: nn.Module, when: str) -> None:
    """Raises TrainerError if the processes' weights are not the same to the bit.

    Args:
        when: for the message, such as "after epoch 3".
    """
    if group.processes == 1:
        return
    if differing := group.differing(weights_sha256(network.state_dict())):
        raise TrainerError(
            f"{when}, weights of rank {_listed(differing)} differ from those of rank 0, which are"
            " to be the same to the bit: a device or a library that computes otherwise than the"
            " others"
        )


def require_same_images(group: Group, images: RunImages) -> None:
    """Raises DatasetMissingError if the processes' images are not as many, with the same labels.

    They would be dealt out as if they were: images would be lost, or processes wait for batches
    that never come.
    """
    if differing := group.differing(images.labels_sha256):
        with during("dataset", DatasetMissingError):
            raise DatasetMissingError(
                f"the dataset of rank {_listed(differing)} is not that of rank 0: it has other"
                " images, or they have other classes. Give each machine the same folder of data"
            )


def stop_together(group: Group, report: Callable[[], None]) -> None:
    """Report, and raise TrainingStopped in every process if it was raised in one of them."""
    stopped: TrainingStopped | None = None
    try:
        report()
    except TrainingStopped as error:
        stopped = error
    if group.any(stopped is not None):
        raise stopped or TrainingStopped("another process of this run was asked to stop")


def _listed(ranks: Sequence[int]) -> str:
    return ", ".join(map(str, ranks))
