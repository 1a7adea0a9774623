"""Training images a second: this project's trainer beside a plain PyTorch loop, in one run.

    python benchmarks/train_throughput.py [--depth 20] [--images 2048] [--rounds 5]

The plain loop is the recipe as people write it: torchvision transforms on PIL images, a
DataLoader, eager fp32. Both train the same network on the same images at batch 128. Rounds
alternate, because machines are noisy; the figure is the median of the rounds' ratios.

    plain loop            one process, one thread a core (torch's default)
    sweep, one run        one process, one thread a core
    sweep, all slots      one process a core, each training its own run on one thread: how a sweep
                          keeps a machine busy
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BATCH_SIZE = 128


def config_of(options: argparse.Namespace, precision: str) -> dict[str, Any]:
    """A run's config as JSON: one epoch over the first images of the fixed shuffle."""
    return {
        "model": {"name": "zerosnet", "depth": options.depth},
        "dataset": {"name": options.dataset, "subset": options.images},
        "training": {"epochs": 1, "batch_size": BATCH_SIZE},
        "precision": precision,
        "seed": 0,
    }


def plain_loop(options: argparse.Namespace) -> float:
    """Images a second of one epoch of the plain loop, after a warm-up of two batches."""
    import torch
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    from trainers.config import RunConfig
    from trainers.datasets import load, training_subset
    from trainers.train import build_network

    torch.set_num_threads(options.cores)
    config = RunConfig.model_validate(config_of(options, "fp32"))
    facts = config.dataset_facts
    split = training_subset(load(options.dataset, options.data_dir)[0], options.images)
    steps = [transforms.RandomCrop(facts.size, padding=config.dataset.crop_padding)]
    if config.dataset.horizontal_flip:
        steps.append(transforms.RandomHorizontalFlip())
    augment = transforms.Compose(
        [*steps, transforms.ToTensor(), transforms.Normalize(facts.mean, facts.std)]
    )
    to_pil = transforms.ToPILImage()
    pictures = [to_pil(torch.tensor(image)) for image in split.images]

    class Pictures(Dataset[Any]):
        def __len__(self) -> int:
            return len(pictures)

        def __getitem__(self, index: int) -> Any:
            return augment(pictures[index]), int(split.labels[index])

    loader = DataLoader(Pictures(), batch_size=BATCH_SIZE, shuffle=True)
    # The same network; contiguous, as torch makes it by default.
    network = build_network(config, "cpu").to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    criterion = torch.nn.CrossEntropyLoss()

    def epoch(batches: int | None) -> None:
        network.train()
        for number, (images, labels) in enumerate(loader):
            if number == batches:
                return
            optimizer.zero_grad()
            loss = criterion(network(images), labels)
            loss.backward()
            optimizer.step()

    epoch(2)
    started = time.perf_counter()
    epoch(None)
    return len(pictures) / (time.perf_counter() - started)


def sweep_trainer(options: argparse.Namespace, precision: str, threads: int) -> float:
    """Images a second of one epoch of this project's trainer, after a warm-up epoch."""
    from trainers.run import run

    config = config_of(options, precision)
    config["training"]["epochs"] = 2
    result = run(config, data_dir=options.data_dir, threads=threads)
    return float(options.images / result["epochs"][1]["seconds"])


def in_processes(options: argparse.Namespace, what: str, count: int) -> float:
    """The sum over `count` processes that measure `what` at the same time."""
    command = [
        sys.executable, __file__, "--only", what, "--depth", str(options.depth),
        "--images", str(options.images), "--dataset", options.dataset,
        "--data-dir", str(options.data_dir), "--cores", str(options.cores),
    ]  # fmt: skip
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(count)]
    return sum(float(process.communicate()[0]) for process in processes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dataset", default="fashion_mnist")
    parser.add_argument("--data-dir", type=Path, default=Path(tempfile.gettempdir()) / "data")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()

    measures = {
        "plain": lambda: plain_loop(options),
        "one-fp32": lambda: sweep_trainer(options, "fp32", options.cores),
        "slot-fp32": lambda: sweep_trainer(options, "fp32", 1),
        "slot-bf16": lambda: sweep_trainer(options, "bf16", 1),
    }
    if options.only:
        print(measures[options.only]())
        return
    lanes = {
        "plain loop, fp32": ("plain", 1),
        "sweep, one run, fp32": ("one-fp32", 1),
        "sweep, all slots, fp32": ("slot-fp32", options.cores),
        "sweep, all slots, bf16": ("slot-bf16", options.cores),
    }
    rates: dict[str, list[float]] = {name: [] for name in lanes}
    for _ in range(options.rounds):
        for name, (what, count) in lanes.items():
            rates[name].append(in_processes(options, what, count))
    plain = rates["plain loop, fp32"]
    report = {
        "machine": f"{platform.machine()}, {options.cores} cores",
        "network": f"zerosnet depth {options.depth}, {options.dataset}, batch {BATCH_SIZE}",
        "rounds": options.rounds,
        "lanes": {
            name: {
                "images_per_second_median": round(statistics.median(values), 1),
                "images_per_second_min": round(min(values), 1),
                "images_per_second_max": round(max(values), 1),
                "ratio_to_plain_median": round(
                    statistics.median(v / p for v, p in zip(values, plain, strict=True)), 2
                ),
            }
            for name, values in rates.items()
        },
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
