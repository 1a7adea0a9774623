"""The datasets, as one registry of their facts; how they are read is found by name.

Planning needs the facts alone, and neither torch nor what reads files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sweep_plugins import Registry

if TYPE_CHECKING:
    from trainers.data.loading import Part


MOST_IN_MEMORY = 4 * 2**30
"""Bytes that all images of a dataset may have, decoded, to be kept in memory where no spec says."""


def fit_in_memory(images: int, channels: int, size: int) -> bool:
    """Whether so many images, uint8 (channels, size, size) each, are kept in memory."""
    return images * channels * size**2 <= MOST_IN_MEMORY


@dataclass(frozen=True)
class Dataset:
    """What is known of a dataset without its files, and what reads them.

    Attributes:
        classes: number of labels.
        channels, size: of an image: channels, and pixels a side.
        train_images, test_images: counts.
        mean, std: one number a channel, for normalising pixels in [0, 1]: the customary constants.
            Those of the training pixels, but for the std of CIFAR-10, which everyone copies from a
            script that averaged the std of each image (of the pixels it is 0.247, 0.243, 0.262).
        crop_padding: zero pixels on each side before the random crop; a default.
        horizontal_flip: whether half of the training images are mirrored; a default.
        read: called with a data folder, it returns (train, test), each a
            `trainers.data.loading.Split` or `trainers.data.streaming.source.Streamed`, or raises
            DatasetMissingError; equal ones read the same.
            A name, "module:function", is imported when the dataset is read, so that planning needs
            no library that reads files.
        top5: whether the share of test images whose class is among five is reported.
        estimated: whether the counts are guesses, which what is read may contradict.
        sources: of a plug-in, the files and folders that decide its results, relative to its own
            file, which is one of them; empty for what `sweep_plugins.source.code_of` finds.
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
    read: str | Callable[[Path], tuple[Part, Part]]
    estimated: bool = False
    sources: tuple[str, ...] = ()
    top5: bool = False

    @property
    def has_top5(self) -> bool:
        """Whether that is measured: of five classes or fewer it is always all."""
        return self.top5 and self.classes > 5


@dataclass(frozen=True)
class DescribedDataset:
    """A kind of dataset whose facts no table can have, since they stand in the spec.

    Attributes:
        config: a subclass of `trainers.config.dataset.DatasetConfig`, whose `facts` are the
            Dataset; or its name, "module:class".
        sources: as a Dataset's.
    """

    config: str | type
    sources: tuple[str, ...] = ()


_MNIST = Dataset(
    classes=10,
    channels=1,
    size=28,
    train_images=60_000,
    test_images=10_000,
    mean=(0.1307,),
    std=(0.3081,),
    crop_padding=4,
    horizontal_flip=False,
    read="trainers.data.readers:mnist",
)
_CIFAR10 = Dataset(
    classes=10,
    channels=3,
    size=32,
    train_images=50_000,
    test_images=10_000,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2023, 0.1994, 0.2010),
    crop_padding=4,
    horizontal_flip=True,
    read="trainers.data.readers:cifar10",
)

DATASETS: Registry[Dataset | DescribedDataset] = Registry(
    "dataset",
    "sweep.datasets",
    {
        "digits": Dataset(
            classes=10,
            channels=1,
            size=8,
            train_images=1_297,
            test_images=500,
            mean=(0.3055,),
            std=(0.3760,),
            crop_padding=1,
            horizontal_flip=False,  # a mirrored digit is another shape
            read="trainers.data.readers:digits",
        ),
        "mnist": _MNIST,
        "fashion_mnist": replace(
            _MNIST,
            mean=(0.2860,),
            std=(0.3530,),
            horizontal_flip=True,
            read="trainers.data.readers:fashion_mnist",
        ),
        "cifar10": _CIFAR10,
        "cifar100": replace(
            _CIFAR10,
            classes=100,
            mean=(0.5071, 0.4867, 0.4408),
            std=(0.2675, 0.2565, 0.2761),
            read="trainers.data.readers:cifar100",
        ),
        "imagenet": DescribedDataset("trainers.config.imagenet:ImageNetConfig"),
        "image_folder": DescribedDataset("trainers.config.image_folder:ImageFolderConfig"),
    },
    instance_of=(Dataset, DescribedDataset),
)
