"""Datasets in memory: each read once a process, checked, and cut to a subset."""

from __future__ import annotations

import pkgutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trainers.data.datasets import DATASETS, Dataset, DescribedDataset
from trainers.data.streaming.source import Streamed
from trainers.errors import DatasetMissingError
from trainers.stages import during

# Changing it changes the numbers of every run on a subset.
_SUBSET_SHUFFLE = 20_240_901


@dataclass(frozen=True, eq=False)
class Split:
    """The training or the test part of a dataset.

    Attributes:
        images: (N, C, H, W), uint8. Those of `load` are read-only: torch.tensor copies them,
            torch.from_numpy would warn.
        labels: (N,), int64, 0..classes-1.
        damaged: images of the dataset's part that are left out, because they cannot be decoded.

    Raises:
        ValueError: other shapes or dtypes.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    damaged: int = 0

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8:
            raise ValueError(
                f"images are uint8 (N, C, H, W), not {self.images.dtype} {self.images.shape}"
            )
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != np.int64:
            raise ValueError(
                f"labels of {len(self.images)} images are int64 ({len(self.images)},), "
                f"not {self.labels.dtype} {self.labels.shape}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        return self.images.shape

    def of(self, places: NDArray[np.int64]) -> Split:
        """Copies of these of its images."""
        return Split(self.images[places], self.labels[places], self.damaged)


Part = Split | Streamed
"""The training or the test part of a dataset, in memory or read while a network trains."""


def left_out(train: Part, test: Part) -> Iterator[str]:
    """Sentences about images of a dataset that are in neither of its parts."""
    for name, part in (("training", train), ("test", test)):
        if part.damaged:
            every = part.damaged + len(part)
            yield f"{part.damaged:,} of {every:,} {name} images cannot be decoded"


@runtime_checkable
class ReadsSlowly(Protocol):
    """What reads a dataset, and tells that it is at work."""

    def read(self, data_dir: Path, heartbeat: Callable[[], None]) -> tuple[Part, Part]:
        """(train, test); `heartbeat` is called all the while."""


def load(
    name: str,
    data_dir: Path,
    facts: Dataset | None = None,
    *,
    heartbeat: Callable[[], None] = lambda: None,
) -> tuple[Part, Part]:
    """(train, test), read once a process for each dataset and folder; the arrays are read-only.

    Args:
        name: in DATASETS.
        data_dir: where datasets lie.
        facts: those of a run's config; not needed for a dataset whose facts stand in DATASETS.
        heartbeat: called while a dataset is read that takes long.

    Raises:
        UnknownNameError: no such dataset; the message lists the valid names.
        DatasetMissingError: its files are nowhere to be found, damaged, or not the whole dataset.
    """
    dataset = DATASETS[name] if facts is None else facts
    if isinstance(dataset, DescribedDataset):
        raise ValueError(f"dataset {name!r} is read by the facts of a config, and none are given")
    folder = data_dir.expanduser().resolve()
    key = name, dataset.read, folder
    with _loading, during("dataset", DatasetMissingError):
        if key not in _loaded:
            read = dataset.read
            if isinstance(read, str):
                read = pkgutil.resolve_name(read)
            if isinstance(read, ReadsSlowly):
                train, test = read.read(folder, heartbeat)
            else:
                train, test = read(folder)
            for part, split, count in (
                ("training", train, dataset.train_images),
                ("test", test, dataset.test_images),
            ):
                count = len(split) if dataset.estimated else count - split.damaged
                _check(f"dataset {name!r}, {part} part", dataset, split, count)
                _protect(split)
            _loaded[key] = train, test
        return _loaded[key]


_loaded: dict[tuple[str, object, Path], tuple[Part, Part]] = {}
_loading = threading.Lock()


def _protect(part: Part) -> None:
    if isinstance(part, Split):
        part.images.setflags(write=False)
        part.labels.setflags(write=False)


def _check(what: str, dataset: Dataset, split: Part, count: int) -> None:
    # Well-formed files that are cut short, or of another dataset, would train and give a number.
    expected = (count, dataset.channels, dataset.size, dataset.size)
    if split.shape != expected:
        raise DatasetMissingError(
            f"{what}: the files hold images of shape {split.shape}, not {expected}"
        )
    labels = split.labels
    least, largest = int(labels.min()), int(labels.max())
    if least < 0 or largest >= dataset.classes:
        raise DatasetMissingError(
            f"{what}: the files hold labels {least}..{largest}, not 0..{dataset.classes - 1}"
        )


def training_subset(train: Part, size: int | None) -> Part:
    """The first `size` images of a fixed shuffle; all of them in their own order for None.

    The shuffle depends on nothing but the number of images: not on the run's seed, so that runs
    differ by their training and not by their data. A smaller subset begins every larger one.

    Raises:
        ValueError: `size` is below 1, or above the number of images.
    """
    if size is None:
        return train
    if not 1 <= size <= len(train):
        raise ValueError(f"a subset has 1 to {len(train)} training images, not {size}")
    subset = train.of(shuffle(len(train), _SUBSET_SHUFFLE)[:size])
    _protect(subset)
    return subset


def shuffle(count: int, seed: int) -> NDArray[np.intp]:
    """A permutation of 0..count-1 that no version of NumPy changes.

    NumPy guarantees the raw stream of PCG64, but not what Generator.permutation makes of it
    (NEP 19).
    """
    return np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable")
