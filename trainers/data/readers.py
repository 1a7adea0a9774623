"""What reads each dataset of DATASETS: (train, test) from a data folder.

Each raises DatasetMissingError if the files are nowhere to be found, or are damaged.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from trainers.data import files
from trainers.data.files import Arrays
from trainers.data.loading import Split, shuffle
from trainers.errors import DatasetMissingError

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts the four files, gzipped."""

_DIGITS_TRAINING = 1297
# Changing it changes the numbers of every run on digits.
_DIGITS_SHUFFLE = 1797


def _splits(arrays: tuple[Arrays, Arrays]) -> tuple[Split, Split]:
    train, test = arrays
    try:
        return Split(*train), Split(*test)
    except ValueError as error:  # more images than labels, in files that are well formed
        raise DatasetMissingError(f"the files of a dataset do not fit together: {error}") from error


def digits(_: Path) -> tuple[Split, Split]:
    """The 1,797 8x8 digits inside scikit-learn (UCI optical recognition of handwritten digits)."""
    # What sklearn.datasets.load_digits reads: importing that takes a second, most of it for scipy.
    found = find_spec("sklearn")
    package = None if found is None or found.origin is None else Path(found.origin).parent
    if package is None or not (file := package / "datasets/data/digits.csv.gz").is_file():
        raise DatasetMissingError(
            "the digits are not on this machine: no scikit-learn is installed that has its"
            " datasets/data/digits.csv.gz"
        )
    # (1797, 65): counts of ink, 0..16, of 8x8 pixels, and the label.
    stored = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    stored = stored[shuffle(len(stored), _DIGITS_SHUFFLE)]
    images = np.rint(stored[:, :64].reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    labels = stored[:, 64].astype(np.int64)
    return (
        Split(images[:_DIGITS_TRAINING], labels[:_DIGITS_TRAINING]),
        Split(images[_DIGITS_TRAINING:], labels[_DIGITS_TRAINING:]),
    )


def mnist(data_dir: Path) -> tuple[Split, Split]:
    """The training and test images of MNIST."""
    return _splits(files.find_idx("mnist", data_dir, "MNIST"))


def fashion_mnist(data_dir: Path) -> tuple[Split, Split]:
    """The training and test images of Fashion-MNIST."""
    return _splits(
        files.find_idx(
            "fashion_mnist",
            data_dir,
            "FashionMNIST",
            folders=(data_dir / "fashion-mnist", DEBIAN_FASHION_MNIST),
            advice=", or on Debian: apt-get install dataset-fashion-mnist",
        )
    )


def cifar10(data_dir: Path) -> tuple[Split, Split]:
    """The training and test images of CIFAR-10."""
    return _splits(files.find_cifar("cifar10", data_dir, "CIFAR10"))


def cifar100(data_dir: Path) -> tuple[Split, Split]:
    """The training and test images of CIFAR-100."""
    return _splits(files.find_cifar("cifar100", data_dir, "CIFAR100"))
