"""Datasets in memory: each read once a process, checked, and cut to a subset."""

from __future__ import annotations

import pkgutil
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainers.data.datasets import DATASETS, Dataset, DescribedDataset
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

    Raises:
        ValueError: other shapes or dtypes.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

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


def load(name: str, data_dir: Path, facts: Dataset | None = None) -> tuple[Split, Split]:
    """(train, test), read once a process for each dataset and folder; the arrays are read-only.

    Args:
        name: in DATASETS.
        data_dir: where datasets lie.
        facts: those of a run's config; not needed for a dataset whose facts stand in DATASETS.

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
            train, test = read(folder)
            for part, split, count in (
                ("training", train, dataset.train_images),
                ("test", test, dataset.test_images),
            ):
                count = len(split) if dataset.estimated else count
                _check(f"dataset {name!r}, {part} part", dataset, split, count)
                split.images.setflags(write=False)
                split.labels.setflags(write=False)
            _loaded[key] = train, test
        return _loaded[key]


_loaded: dict[tuple[str, object, Path], tuple[Split, Split]] = {}
_loading = threading.Lock()


def _check(what: str, dataset: Dataset, split: Split, count: int) -> None:
    # Well-formed files that are cut short, or of another dataset, would train and give a number.
    expected = (count, dataset.channels, dataset.size, dataset.size)
    if split.images.shape != expected:
        raise DatasetMissingError(
            f"{what}: the files hold images of shape {split.images.shape}, not {expected}"
        )
    least, largest = int(split.labels.min()), int(split.labels.max())
    if least < 0 or largest >= dataset.classes:
        raise DatasetMissingError(
            f"{what}: the files hold labels {least}..{largest}, not 0..{dataset.classes - 1}"
        )


def training_subset(train: Split, size: int | None) -> Split:
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
    chosen = shuffle(len(train), _SUBSET_SHUFFLE)[:size]
    subset = Split(train.images[chosen], train.labels[chosen])
    subset.images.setflags(write=False)
    subset.labels.setflags(write=False)
    return subset


def shuffle(count: int, seed: int) -> NDArray[np.intp]:
    """A permutation of 0..count-1 that no version of NumPy changes.

    NumPy guarantees the raw stream of PCG64, but not what Generator.permutation makes of it
    (NEP 19).
    """
    return np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable")
