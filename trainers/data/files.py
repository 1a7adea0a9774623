"""Finding, reading and downloading the files of published image datasets.

Two formats: IDX (MNIST, Fashion-MNIST; plain or gzipped) and CIFAR's Python pickles. Reading is
torchvision's.

Every function returns (train, test), each a pair of images, uint8 (N, C, H, W), and labels,
int64 (N,), and raises DatasetMissingError if files are nowhere to be found, or are damaged.
"""

from __future__ import annotations

import gzip
import os
import socket
import tempfile
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.errors import DatasetMissingError
from trainers.storage.regular_file import unfit

Arrays = tuple[NDArray[np.uint8], NDArray[np.int64]]

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

LARGEST_FILE = 2**30
"""Bytes, unpacked. The largest of these datasets' files has a fifth of that."""

DOWNLOAD_TIMEOUT = 10.0
"""Seconds that a server may be silent before a download is given up."""


def find_idx(
    name: str,
    data_dir: Path,
    torchvision_class: str,
    *,
    folders: Sequence[Path] = (),
    advice: str = "",
) -> tuple[Arrays, Arrays]:
    """Reads four IDX files from the first folder that has them all, or downloads them.

    Args:
        name: of the dataset, for messages.
        data_dir: torchvision's root; its own folder there is looked in first, and downloaded into.
        torchvision_class: in torchvision.datasets, e.g. "MNIST".
        folders: where else to look, in this order.
        advice: what else a user can do, for the message.
    """
    home = Path(torchvision_class, "raw")
    looked = []
    for folder in (data_dir / home, *folders):
        missing = [file for file in IDX_FILES if _idx_path(folder, file) is None]
        if not missing:
            return _read_idx_folder(name, folder)
        looked.append(_describe(folder, IDX_FILES, missing, "each plain or .gz"))
    _download_or_explain(name, data_dir, torchvision_class, home, IDX_FILES, looked, advice)
    return _read_idx_folder(name, data_dir / home)


def find_cifar(name: str, data_dir: Path, torchvision_class: str) -> tuple[Arrays, Arrays]:
    """Reads CIFAR's pickles from data_dir in torchvision's layout, or downloads them.

    A pickle can run any code, so nothing is read whose MD5 is not the published one.

    Args:
        name: of the dataset, for messages.
        data_dir: torchvision's root.
        torchvision_class: "CIFAR10" or "CIFAR100".
    """
    dataset = _torchvision(torchvision_class)
    home = Path(dataset.base_folder)
    checksums = dict([*dataset.train_list, *dataset.test_list])
    checksums[dataset.meta["filename"]] = dataset.meta["md5"]
    missing = [file for file in checksums if not (data_dir / home / file).is_file()]
    for file in checksums.keys() - set(missing):
        _require_size(name, data_dir / home / file)
    if missing:
        looked = [_describe(data_dir / home, tuple(checksums), missing, "unpacked")]
        _download_or_explain(name, data_dir, torchvision_class, home, tuple(checksums), looked)
    try:
        with warnings.catch_warnings():
            # The published pickles were written by Python 2, with a dtype that NumPy 2.4.0 to
            # 2.4.4 read with a warning.
            warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
            train, test = dataset(data_dir, train=True), dataset(data_dir, train=False)
    except RuntimeError as error:  # torchvision does not say which file
        for file, checksum in checksums.items():
            path = data_dir / home / file
            if not _torchvision("utils").check_integrity(path, checksum):
                raise _damaged(name, path, f"its MD5 is not {checksum}") from error
        raise
    except OSError as error:
        raise _damaged(name, data_dir / home, str(error)) from error
    return _cifar_arrays(train), _cifar_arrays(test)


def _cifar_arrays(dataset: Any) -> Arrays:
    # torchvision turns the stored (N, 3, 32, 32) into (N, 32, 32, 3).
    images = np.ascontiguousarray(dataset.data.transpose(0, 3, 1, 2))
    return images, np.asarray(dataset.targets, dtype=np.int64)


def _torchvision(attribute: str) -> Any:
    from torchvision import datasets

    return getattr(datasets, attribute)


def _idx_path(folder: Path, file: str) -> Path | None:
    candidates = (folder / file, folder / f"{file}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _read_idx_folder(name: str, folder: Path) -> tuple[Arrays, Arrays]:
    train_images, train_labels, test_images, test_labels = (
        _read_idx(name, folder, file) for file in IDX_FILES
    )
    # A grey image has one channel.
    return (train_images[:, None], train_labels), (test_images[:, None], test_labels)


def _read_idx(name: str, folder: Path, file: str) -> NDArray[Any]:
    """Images, uint8 (N, H, W), or labels, int64 (N,)."""
    from torchvision.datasets.mnist import read_image_file, read_label_file

    path = _idx_path(folder, file)
    assert path is not None
    _require_size(name, path)
    read = read_image_file if "idx3" in file else read_label_file
    # torchvision asserts, and lets errors of NumPy, torch and zlib through.
    damage = (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError, AssertionError)
    try:
        with _plain(path) as plain:
            array: NDArray[Any] = read(str(plain)).numpy()
    except (*damage, RuntimeError) as error:
        raise _damaged(name, path, f"{type(error).__name__}: {error}") from error
    return array


@contextmanager
def _plain(path: Path) -> Iterator[Path]:
    """`path`, or a temporary copy without the gzip, for torchvision reads plain files only."""
    if path.suffix != ".gz":
        yield path
        return
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary, path.stem)
        with gzip.open(path) as source, copy.open("wb") as target:
            left = LARGEST_FILE
            while part := source.read(min(left + 1, 1 << 20)):
                target.write(part)
                left -= len(part)
                if left < 0:
                    raise ValueError(f"unpacked it has more than {LARGEST_FILE:,} bytes")
        yield copy


def _require_size(name: str, path: Path) -> None:
    """Raises DatasetMissingError for a file that is too large to be what it should be."""
    if problem := unfit(path.stat(), LARGEST_FILE):
        raise _damaged(name, path, f"it is {problem}")


def _download_or_explain(
    name: str,
    data_dir: Path,
    torchvision_class: str,
    home: Path,
    files: Sequence[str],
    looked: Sequence[str],
    advice: str = "",
) -> None:
    try:
        _download(torchvision_class, data_dir, home, files)
    except Exception as error:  # sockets, HTTP, archives, disks: all mean that there is no data
        reason = " ".join(str(error).split()) or type(error).__name__
        places = "".join(f"\n  - {place}" for place in looked)
        raise DatasetMissingError(
            f"dataset {name!r} is not on this machine. Looked in:{places}\n"
            f"  - a download into {data_dir}: failed: {reason}\n"
            f"Put the files into {data_dir / home}, or run once where there is a network"
            f"{advice}."
        ) from error


def _download(torchvision_class: str, data_dir: Path, home: Path, files: Sequence[str]) -> None:
    """Downloads into a temporary folder, checks, and moves each whole file into its place.

    A process that is killed leaves a folder `.download-...`, which nothing takes for data; two
    that download at once put the same files in place.
    """
    dataset = _torchvision(torchvision_class)
    data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=data_dir) as temporary:
        with _socket_timeout(DOWNLOAD_TIMEOUT):
            dataset(temporary, download=True)  # checks every file's MD5
        (data_dir / home).mkdir(parents=True, exist_ok=True)
        for file in files:
            os.replace(Path(temporary, home, file), data_dir / home / file)


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    # torchvision opens its URLs without a timeout, and takes none.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _describe(folder: Path, files: Sequence[str], missing: Sequence[str], how: str) -> str:
    if not folder.is_dir():
        found = "there is no such folder"
    elif len(missing) == len(files):
        found = "it has none of them"
    else:
        found = f"it lacks {', '.join(missing)}"
    return f"{folder} for {', '.join(files)} ({how}): {found}"


def _damaged(name: str, path: Path, why: str) -> DatasetMissingError:
    return DatasetMissingError(
        f"dataset {name!r}: {path} is damaged ({why}). Replace it, or move it away so that it is "
        f"looked for elsewhere."
    )
