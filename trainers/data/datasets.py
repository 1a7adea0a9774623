"""The datasets, as one table, each read once a process.

The module needs neither torch nor torchvision nor scikit-learn until a dataset is read, so that
a sweep can be planned without them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep_plugins import Registry
from trainers.data import files
from trainers.data.files import Arrays
from trainers.errors import DatasetMissingError

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts the four files, gzipped."""

_DIGITS_TRAINING = 1297
# Changing either changes the numbers of every run on digits, or on a subset.
_DIGITS_SHUFFLE = 1797
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


@dataclass(frozen=True)
class Dataset:
    """What is known of a dataset without its files, and how to read them.

    Attributes:
        classes: number of labels.
        channels, size: of an image: channels, and pixels a side.
        train_images, test_images: counts.
        mean, std: one number a channel, for normalising pixels in [0, 1]: the customary constants.
            Those of the training pixels, but for the std of CIFAR-10, which everyone copies from a
            script that averaged the std of each image (of the pixels it is 0.247, 0.243, 0.262).
        crop_padding: zero pixels on each side before the random crop; a default.
        horizontal_flip: whether half of the training images are mirrored; a default.
        read: (train, test) from a data folder; raises DatasetMissingError. Equal ones read the
            same.
        estimated: whether the counts are guesses, which what is read may contradict.
    """

    classes: int
    channels: int
    size: int
    train_images: int
    test_images: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_padding: int
    horizontal_flip: bool
    read: Callable[[Path], tuple[Split, Split]]
    estimated: bool = False


@dataclass(frozen=True)
class DescribedDataset:
    """A kind of dataset whose facts no table can have, since they stand in the spec.

    Attributes:
        config: "module:class" of a subclass of `trainers.config.dataset.DatasetConfig`, whose
            `facts` are the Dataset. A name, because that class builds on this module.
    """

    config: str


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
    with _loading:
        if key not in _loaded:
            train, test = dataset.read(folder)
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


_loaded: dict[tuple[str, Callable[[Path], tuple[Split, Split]], Path], tuple[Split, Split]] = {}
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
    chosen = _shuffle(len(train), _SUBSET_SHUFFLE)[:size]
    subset = Split(train.images[chosen], train.labels[chosen])
    subset.images.setflags(write=False)
    subset.labels.setflags(write=False)
    return subset


def _shuffle(count: int, seed: int) -> NDArray[np.intp]:
    """A permutation of 0..count-1 that no version of NumPy changes.

    NumPy keeps the raw stream of PCG64 for ever, but not what Generator.permutation makes of it
    (NEP 19).
    """
    return np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable")


def _splits(arrays: tuple[Arrays, Arrays]) -> tuple[Split, Split]:
    train, test = arrays
    try:
        return Split(*train), Split(*test)
    except ValueError as error:  # more images than labels, in files that are well formed
        raise DatasetMissingError(f"the files of a dataset do not fit together: {error}") from error


def _read_digits(_: Path) -> tuple[Split, Split]:
    """The 1,797 8x8 digits inside scikit-learn (UCI optical recognition of handwritten digits)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = _shuffle(len(digits.images), _DIGITS_SHUFFLE)
    # Stored as counts of ink, 0..16.
    images = np.rint(digits.images[order, None] * (255 / 16)).astype(np.uint8)
    labels = digits.target[order].astype(np.int64)
    return (
        Split(images[:_DIGITS_TRAINING], labels[:_DIGITS_TRAINING]),
        Split(images[_DIGITS_TRAINING:], labels[_DIGITS_TRAINING:]),
    )


def _read_mnist(data_dir: Path) -> tuple[Split, Split]:
    return _splits(files.find_idx("mnist", data_dir, "MNIST"))


def _read_fashion_mnist(data_dir: Path) -> tuple[Split, Split]:
    return _splits(
        files.find_idx(
            "fashion_mnist",
            data_dir,
            "FashionMNIST",
            folders=(data_dir / "fashion-mnist", DEBIAN_FASHION_MNIST),
            advice=", or on Debian: apt-get install dataset-fashion-mnist",
        )
    )


def _read_cifar10(data_dir: Path) -> tuple[Split, Split]:
    return _splits(files.find_cifar("cifar10", data_dir, "CIFAR10"))


def _read_cifar100(data_dir: Path) -> tuple[Split, Split]:
    return _splits(files.find_cifar("cifar100", data_dir, "CIFAR100"))


DATASETS: Registry[Dataset | DescribedDataset] = Registry(
    "dataset",
    "sweep.datasets",
    {
        "digits": Dataset(
            classes=10,
            channels=1,
            size=8,
            train_images=_DIGITS_TRAINING,
            test_images=500,
            mean=(0.3055,),
            std=(0.3760,),
            crop_padding=1,
            horizontal_flip=False,  # a mirrored digit is another shape
            read=_read_digits,
        ),
        "mnist": Dataset(
            classes=10,
            channels=1,
            size=28,
            train_images=60_000,
            test_images=10_000,
            mean=(0.1307,),
            std=(0.3081,),
            crop_padding=4,
            horizontal_flip=False,
            read=_read_mnist,
        ),
        "fashion_mnist": Dataset(
            classes=10,
            channels=1,
            size=28,
            train_images=60_000,
            test_images=10_000,
            mean=(0.2860,),
            std=(0.3530,),
            crop_padding=4,
            horizontal_flip=True,
            read=_read_fashion_mnist,
        ),
        "cifar10": Dataset(
            classes=10,
            channels=3,
            size=32,
            train_images=50_000,
            test_images=10_000,
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2023, 0.1994, 0.2010),
            crop_padding=4,
            horizontal_flip=True,
            read=_read_cifar10,
        ),
        "cifar100": Dataset(
            classes=100,
            channels=3,
            size=32,
            train_images=50_000,
            test_images=10_000,
            mean=(0.5071, 0.4867, 0.4408),
            std=(0.2675, 0.2565, 0.2761),
            crop_padding=4,
            horizontal_flip=True,
            read=_read_cifar100,
        ),
        "image_folder": DescribedDataset("trainers.config.image_folder:ImageFolderConfig"),
    },
    instance_of=(Dataset, DescribedDataset),
)
