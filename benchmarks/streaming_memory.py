"""Memory of a run while it streams a folder of many small images: of itself and its workers.

    python benchmarks/streaming_memory.py [--files 70000] [--images N] [--workers 2]

Makes a folder of so many PNG files in a temporary folder: some hundred images, all others hard
links to them (no file has more than 5,000 names). Then an epoch of it is read, or its first
`--images` images, as a run reads them, and what each process holds is printed on the way: `own` is
its memory without files that are mapped (RssAnon), `shared` what all have together (RssShmem: the
ring of decoded images, and the list of files). The process that trains has imported torch by then.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 100
NAMES_A_FILE = 5_000
LINES = 12
MEGABYTE = 1e6


def make(root: Path, files: int, size: int) -> None:
    """train/ has all but a hundredth of them, test/ the others."""
    draws = np.random.default_rng(0)
    parts = ["train"] * (files - files // CLASSES) + ["test"] * max(files // CLASSES, CLASSES)
    for part in ("train", "test"):
        for number in range(CLASSES):
            (root / part / f"class{number:03}").mkdir(parents=True)
    original = root
    for number, part in enumerate(parts):
        path = root / part / f"class{number % CLASSES:03}" / f"image_{number:08}.png"
        if number % NAMES_A_FILE == 0:
            original = path
            pixels = draws.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        else:
            os.link(original, path)


def memory(pid: int) -> tuple[float, float]:
    """Resident memory of a process in megabytes: its own, and what it shares without a file."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    told = dict(line.split(":", 1) for line in lines)
    own, shared = (int(told[name].split()[0]) * 1024 for name in ("RssAnon", "RssShmem"))
    return own / MEGABYTE, shared / MEGABYTE


def measure(data: Path, options: argparse.Namespace) -> None:
    """Reads the folder and prints what that takes."""
    import torch

    from trainers.config.run import RunConfig
    from trainers.training.images import RunImages

    dataset = {"name": "image_folder", "folder": "many", "size": options.size, "classes": CLASSES}
    config = RunConfig.model_validate(
        {
            "model": {"name": "zerosnet", "depth": 8, "width": 4},
            "dataset": {**dataset, "crop": {}},
            "training": {"batch_size": options.batch_size},
            "seed": 0,
        }
    )
    before = set(_children())
    print(f"before: own {memory(os.getpid())[0]:,.0f} MB")
    started = time.perf_counter()
    images = RunImages(config, data, torch.device("cpu"), workers=options.workers)
    print(f"{images.count:,} training images listed in {time.perf_counter() - started:.1f} s")
    total = min(options.images or images.count, images.count)
    every = max(total // LINES // options.batch_size, 1)
    started, seen = time.perf_counter(), 0
    for number, batch in enumerate(images.batches(1)):
        seen += len(batch.labels)
        if number % every == 0 or seen >= total:
            own, shared = memory(os.getpid())
            workers = [memory(pid) for pid in _children() if pid not in before]
            shared = max([shared, *(of_worker[1] for of_worker in workers)])
            each = ", ".join(f"{of_worker[0]:.0f}" for of_worker in workers) or "none"
            rate = seen / (time.perf_counter() - started)
            together = own + shared + sum(of_worker[0] for of_worker in workers)
            print(
                f"{seen:>9,} images, {rate:6,.0f} a second: own {own:.0f} MB, shared {shared:.0f}"
                f" MB; workers' own {each} MB; all {together:.0f} MB",
                flush=True,
            )
        if seen >= total:
            break
    images.close()


def _children() -> list[int]:
    task = Path(f"/proc/{os.getpid()}/task")
    return [
        int(pid) for thread in task.iterdir() for pid in (thread / "children").read_text().split()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=70_000)
    parser.add_argument("--images", type=int, help="to stream; all of an epoch unless given")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--size", type=int, default=32, help="pixels a side")
    parser.add_argument("--batch-size", type=int, default=256)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        started = time.perf_counter()
        make(Path(temporary, "many"), options.files, options.size)
        print(f"{options.files:,} files made in {time.perf_counter() - started:.0f} s")
        measure(Path(temporary), options)


if __name__ == "__main__":
    main()
