"""Training images a second: this project's trainer compared with a plain PyTorch loop, in one run.

    python benchmarks/train_throughput.py [--depth 20] [--images 1024] [--rounds 15]

The plain loop is the recipe as people write it: torchvision transforms on PIL images, a
DataLoader, eager fp32. Both train the same network on the same images at batch 128. All processes
stay ready, and lanes take turns of one epoch, because machines are noisy; the figure is the median
of the rounds' ratios.

    plain loop            one process, one thread a core (torch's default)
    sweep, one run        one process, one thread a core
    sweep, all slots      one process a core, each training its own run on one thread: how a sweep
                          keeps a machine busy
    ..., compiled         the same with `compile: true`; making the graphs is not counted (see
                          benchmarks/compiling.py for what that takes)
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCH_SIZE = 128


def config_of(
    options: argparse.Namespace, precision: str, compiled: bool = False
) -> dict[str, Any]:
    """A run's config as JSON: one epoch over the first images of the fixed shuffle."""
    return {
        "model": {"name": "zerosnet", "depth": options.depth},
        "dataset": {"name": options.dataset, "subset": options.images},
        "training": {"epochs": 1, "batch_size": BATCH_SIZE, "optimizer": {"lr": 0.01}},
        "precision": precision,
        "compile": compiled,
        "seed": 0,
    }


def plain_loop(options: argparse.Namespace) -> Callable[[], None]:
    """One epoch of the plain loop."""
    import torch
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    from trainers.config.run import RunConfig
    from trainers.data.loading import Split, load, training_subset
    from trainers.training.building import build_network

    torch.set_num_threads(options.cores)
    config = RunConfig.model_validate(config_of(options, "fp32"))
    facts = config.dataset_facts
    split = training_subset(load(options.dataset, options.data_dir)[0], options.images)
    assert isinstance(split, Split)
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

    def epoch() -> None:
        network.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(network(images), labels)
            loss.backward()
            optimizer.step()

    return epoch


def sweep_trainer(
    options: argparse.Namespace, precision: str, threads: int, compiled: bool = False
) -> Callable[[], None]:
    """One epoch of this project's trainer, without the test that follows it."""
    import torch

    from trainers.config.job import TrainingJob
    from trainers.config.run import RunConfig
    from trainers.parallel.group import Group
    from trainers.torch_setup import prepare_torch
    from trainers.training.train import _Training, images_of

    prepare_torch(threads)
    config = RunConfig.model_validate(config_of(options, precision, compiled))
    job = TrainingJob(config, (), options.data_dir)
    training = _Training(job, Group(None, torch.device("cpu")), images_of(job))

    def epoch() -> None:
        training._train_on_all_images(1)

    return epoch


class Lane:
    """Processes that are ready to train an epoch whenever they are told to."""

    def __init__(self, options: argparse.Namespace, what: str, count: int) -> None:
        command = [
            sys.executable, __file__, "--only", what, "--depth", str(options.depth),
            "--images", str(options.images), "--dataset", options.dataset,
            "--data-dir", str(options.data_dir), "--cores", str(options.cores),
        ]  # fmt: skip
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(count)
        ]
        self._answers()  # they have trained an epoch to warm up

    def images_per_second(self) -> float:
        """Of one epoch, the sum over the processes, all at the same time."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write("epoch\n")
            process.stdin.flush()
        return sum(self._answers())

    def _answers(self) -> list[float]:
        return [float(process.stdout.readline()) for process in self._processes if process.stdout]

    def close(self) -> None:
        for process in self._processes:
            process.communicate()


def obey(epoch: Callable[[], None], images: int) -> None:
    """Train an epoch at the start and for each line of the input; say how many images a second."""
    for _ in itertools.chain([""], sys.stdin):
        started = time.perf_counter()
        epoch()
        print(images / (time.perf_counter() - started), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=15)
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
        "slot-fp32-compiled": lambda: sweep_trainer(options, "fp32", 1, compiled=True),
        "slot-bf16-compiled": lambda: sweep_trainer(options, "bf16", 1, compiled=True),
    }
    if options.only:
        obey(measures[options.only](), options.images)
        return
    lanes = {
        "plain loop, fp32": ("plain", 1),
        "sweep, one run, fp32": ("one-fp32", 1),
        "sweep, all slots, fp32": ("slot-fp32", options.cores),
        "sweep, all slots, bf16": ("slot-bf16", options.cores),
        "sweep, all slots, fp32, compiled": ("slot-fp32-compiled", options.cores),
        "sweep, all slots, bf16, compiled": ("slot-bf16-compiled", options.cores),
    }
    ready = {name: Lane(options, *lane) for name, lane in lanes.items()}
    rates: dict[str, list[float]] = {name: [] for name in lanes}
    for _ in range(options.rounds):
        for name, lane in ready.items():
            rates[name].append(lane.images_per_second())
    for lane in ready.values():
        lane.close()
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
