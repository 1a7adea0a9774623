"""Training images a second that are read, cropped and resized, beside torchvision's own loading.

    python benchmarks/loading.py [--images 512] [--rounds 7] [--workers 2] [--reduce 256]

Makes JPEG files of the sizes that ImageNet's have, in a temporary folder: in a folder for each
class, as ILSVRC2012's archives, and as a packed copy. Then each of these lanes reads an epoch of
them, in turns, because machines are noisy; the figure is the median of the rounds' ratios. Nothing
trains.

    ImageFolder     torchvision.datasets.ImageFolder, transforms RandomResizedCrop(224),
                    RandomHorizontalFlip and PILToTensor, and a DataLoader whose workers stay
    folders         `dataset: imagenet` as a run reads it, from the same files: crops of the same
                    distribution, by as many worker processes
    archives        the same from the archives
    packed copy     the same with `reduce`, from the packed copy: parts of reduced images

All give batches of uint8 (B, 3, 224, 224) in this process. Files are in the page cache: what is
compared is the work of processors and not that of disks. "CPU" is the time of all processes of a
lane, which depends less on what else a machine does.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from PIL import Image

CLASSES = tuple(f"n{number:08}" for number in range(1, 9))
SIZES = ((500, 375), (375, 500), (500, 333), (500, 500), (640, 480))
"""Width and height; the mean image of ImageNet has 500 by 375 pixels or so."""

QUALITY = 92
BATCH_SIZE = 64
SIZE = 224


def photograph(number: int) -> bytes:
    """A JPEG file with the detail of a photograph: noise of all scales, and about 100 kB."""
    draws = np.random.default_rng(number)
    width, height = SIZES[number % len(SIZES)]
    pixels = np.zeros((height, width, 3), dtype=np.float32)
    for scale in (2, 6, 16, 48, 128):
        small = draws.normal(0, 12 * scale**0.35, (height // scale + 2, width // scale + 2, 3))
        levels = [Image.fromarray(small[..., c].astype(np.float32)) for c in range(3)]
        bicubic = Image.Resampling.BICUBIC
        resized = [np.asarray(level.resize((width, height), bicubic)) for level in levels]
        pixels += np.stack(resized, -1)
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels + 128, 0, 255).astype(np.uint8)).save(
        file, "JPEG", quality=QUALITY
    )
    return file.getvalue()


def make(root: Path, count: int) -> float:
    """The files, as folders and as archives; their mean size in bytes."""
    folders, archives = root / "folders/imagenet", root / "archives/imagenet"
    archives.mkdir(parents=True)
    files = {f"{CLASSES[i % len(CLASSES)]}/{i:06}.JPEG": photograph(i) for i in range(count)}
    for part in ("train", "val"):
        for wnid in CLASSES:
            (folders / part / wnid).mkdir(parents=True)
        chosen = files if part == "train" else dict(list(files.items())[: len(CLASSES)])
        for name, content in chosen.items():
            (folders / part / name).write_bytes(content)
    with tarfile.open(archives / "ILSVRC2012_img_train.tar", "w") as outer:
        for wnid in CLASSES:
            inside = io.BytesIO()
            with tarfile.open(fileobj=inside, mode="w") as tar:
                for name in files:
                    if name.startswith(wnid):
                        add(tar, name.partition("/")[2], files[name])
            add(outer, f"{wnid}.tar", inside.getvalue())
    (archives / "val").symlink_to(folders / "val")
    return sum(map(len, files.values())) / count


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """A file of this name in an archive."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def image_folder(root: Path, workers: int) -> Callable[[], Iterable[Any]]:
    """An epoch of torchvision's loading."""
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    cropped = [
        transforms.RandomResizedCrop(SIZE),
        transforms.RandomHorizontalFlip(),
        transforms.PILToTensor(),
    ]
    images = datasets.ImageFolder(root / "folders/imagenet/train", transforms.Compose(cropped))
    loader: Any = DataLoader(
        images,
        batch_size=BATCH_SIZE,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    return lambda: (pixels for pixels, _ in loader)


def ours(data: Path, count: int, workers: int, reduce: int | None) -> Callable[[], Iterable[Any]]:
    """An epoch as a run reads it."""
    import torch

    from trainers.config.run import RunConfig
    from trainers.training.images import RunImages

    config = RunConfig.model_validate(
        {
            "model": {"name": "zerosnet", "depth": 8, "width": 4},
            "dataset": dataset(count, reduce),
            "training": {"batch_size": BATCH_SIZE},
            "seed": 0,
        }
    )
    images = RunImages(config, data, torch.device("cpu"), workers=workers)
    epochs = iter(range(1, 1_000_000))
    return lambda: (batch.pixels for batch in images.batches(next(epochs)))


def dataset(count: int, reduce: int | None) -> dict[str, Any]:
    """As a spec has it."""
    images = {"train": count, "test": len(CLASSES)}
    given = {"name": "imagenet", "size": SIZE, "classes": list(CLASSES), "images": images}
    return given if reduce is None else {**given, "reduce": reduce}


def pack(data: Path, count: int, reduce: int) -> float:
    """Makes the packed copy; seconds that it takes with one process."""
    from trainers.config.dataset import parse_dataset
    from trainers.data.packed.writing import write_pack

    reader: Any = parse_dataset(dataset(count, reduce)).facts.read
    started = time.perf_counter()
    write_pack(reader.packing(data, lambda: None), reader.pack_path(data))
    return time.perf_counter() - started


class Rate(NamedTuple):
    """Images a second, and milliseconds of processors an image."""

    images: float
    cpu: float


def rate(epoch: Callable[[], Iterable[Any]], count: int) -> Rate:
    """Of one epoch; raises SystemExit if it has another number of images."""
    started, before = time.perf_counter(), processor_seconds()
    seen = 0
    for pixels in epoch():
        assert tuple(pixels.shape[1:]) == (3, SIZE, SIZE), pixels.shape
        seen += len(pixels)
    if seen != count:
        raise SystemExit(f"an epoch had {seen} images, not {count}")
    seconds = time.perf_counter() - started
    return Rate(count / seconds, 1000 * (processor_seconds() - before) / count)


def processor_seconds() -> float:
    """Of this process and its workers; those of other lanes wait meanwhile."""
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def main() -> None:
    """Prints a line for each lane."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--reduce", type=int, default=256)
    options = parser.parse_args()

    import torch

    torch.set_num_threads(1)
    count, workers = options.images, options.workers
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        size = make(root, count)
        seconds = pack(root / "folders", count, options.reduce)
        lanes = {
            "ImageFolder": image_folder(root, workers),
            "folders": ours(root / "folders", count, workers, None),
            "archives": ours(root / "archives", count, workers, None),
            "packed copy": ours(root / "folders", count, workers, options.reduce),
        }
        print(
            f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores; torch"
            f" {torch.__version__}; {count} JPEG files of {size / 1000:.0f} kB, {workers} worker"
            f" processes; packed by one process, {count / seconds:.0f} images a second"
        )
        for epoch in lanes.values():  # processes start, and files get into the page cache
            rate(epoch, count)
        rates: dict[str, list[Rate]] = {name: [] for name in lanes}
        for _ in range(options.rounds):
            for name, epoch in lanes.items():
                rates[name].append(rate(epoch, count))
        for name, found in rates.items():
            pairs = list(zip(found, rates["ImageFolder"], strict=True))
            ratios = [one.images / other.images for one, other in pairs]
            print(
                f"{name:12} {statistics.median(each.images for each in found):8.1f} images/s"
                f"  {statistics.median(ratios):6.2f} x ImageFolder"
                f"  ({min(ratios):.2f} to {max(ratios):.2f})"
                f"  {statistics.median(each.cpu for each in found):6.2f} ms of CPU an image,"
                f" {statistics.median(other.cpu / one.cpu for one, other in pairs):.2f} x"
            )


if __name__ == "__main__":
    main()
