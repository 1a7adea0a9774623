"""Training images a second of several processes: against one, and against a loop by hand.

    PYTHONPATH=. python benchmarks/data_parallel.py [--processes 2] [--rounds 9] [--synchronised]

Lanes take turns of one epoch in one run, because machines are noisy; figures are medians of the
rounds and of their ratios. Processor time is of rank 0, its communication included. Every process
has one thread and batches of its own of the same size.

    one process     this project's trainer; the other processes wait
    apart           each process as "one process", at the same time: what the machine itself loses
    several         this project's trainer in all processes
    by hand         in all processes torch's DistributedDataParallel and SGD in a plain loop, of the
                    same network, with the same batches in the same order
    of itself       "several" a second time: how far a ratio is from 1 by chance

With --synchronised, normalisation is by the batches of all in the lane "several", and in no other.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from trainers.config.job import Member, TrainingJob
from trainers.config.run import RunConfig
from trainers.data.augment import normalize
from trainers.parallel.group import Group, joined
from trainers.parallel.rendezvous import listen
from trainers.torch_setup import prepare_torch
from trainers.training.building import build_network
from trainers.training.train import _Training, images_of

CPU = torch.device("cpu")
RATE = 0.01
LANES = ("one process", "apart", "several", "by hand", "of itself")


def config_of(options: argparse.Namespace, processes: int) -> RunConfig:
    """One epoch, of as many steps whatever the number of processes."""
    images = options.steps * options.batch * processes
    recipe = {
        "epochs": 1,
        "batch_size": options.batch,
        "data_parallel": processes,
        "sync_batch_norm": options.synchronised,
        "optimizer": {"lr": RATE},
        "lr_schedule": {"milestones": []},
    }
    return RunConfig.model_validate(
        {
            "model": {"name": "zerosnet", "depth": options.depth, "width": options.width},
            "dataset": {"name": options.dataset, "subset": images},
            "training": recipe,
            "seed": 0,
        }
    )


def by_hand(training: _Training, group: Group) -> Callable[[], None]:
    """An epoch of a plain loop over the batches that the trainer has."""
    config = training.config
    network = nn.parallel.DistributedDataParallel(build_network(config, "cpu"))
    recipe: Any = config.training.optimizer
    optimizer = torch.optim.SGD(
        network.parameters(), lr=RATE, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    mean, std = config.dataset_facts.mean, config.dataset_facts.std

    def epoch() -> None:
        network.train()  # type: ignore[no-untyped-call]
        total, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for batch in training.images.batches(1):
            images = normalize(batch.pixels, mean, std)
            optimizer.zero_grad()
            logits = network(images.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(logits, batch.labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.detach() * len(batch.labels)
            right += (logits.detach().argmax(1) == batch.labels).sum()
        group.sum(total)
        group.sum(right)

    return epoch


def take_part(member: Member, options: argparse.Namespace, found: Any) -> None:
    """All rounds in one process; rank 0 puts what it timed into `found`."""
    prepare_torch(1)
    with joined(member, CPU) as group:
        config = config_of(options, member.processes)
        job = TrainingJob(config, (), options.data_dir, member=member)
        several = _Training(job, group, images_of(job))
        job = TrainingJob(config_of(options, 1), (), options.data_dir)
        alone = _Training(job, Group(None, CPU), images_of(job))
        epochs: dict[str, Callable[[], object]] = {
            "one process": lambda: alone._train_on_all_images(1) if group.rank == 0 else None,
            "apart": lambda: alone._train_on_all_images(1),
            "several": lambda: several._train_on_all_images(1),
            "by hand": by_hand(several, group),
            "of itself": lambda: several._train_on_all_images(1),
        }
        seconds: dict[str, list[float]] = {lane: [] for lane in LANES}
        processor: dict[str, list[float]] = {lane: [] for lane in LANES}
        for number in range(options.rounds + 1):
            # Each comes first in some rounds; the first round warms up.
            for lane in LANES[number % len(LANES) :] + LANES[: number % len(LANES)]:
                group.any(False)
                started, worked = time.perf_counter(), time.process_time()
                epochs[lane]()
                group.any(False)
                if number:
                    seconds[lane].append(time.perf_counter() - started)
                    processor[lane].append(time.process_time() - worked)
        several.close()
        if group.rank == 0:
            found.put((seconds, processor))


def ratio(of: list[float], to: list[float]) -> float:
    """The median of the rounds' ratios."""
    return round(statistics.median(a / b for a, b in zip(of, to, strict=True)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=10, help="of an epoch")
    parser.add_argument("--batch", type=int, default=64, help="images of each process")
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data-dir", type=Path, default=Path("/nonexistent"))
    parser.add_argument("--synchronised", action="store_true")
    options = parser.parse_args()

    address, kept = listen("127.0.0.1")
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    processes = [
        context.Process(
            target=take_part, args=(Member(rank, options.processes, address), options, found)
        )
        for rank in range(options.processes)
    ]
    for process in processes:
        process.start()
    seconds, processor = found.get()
    for process in processes:
        process.join()
    del kept
    images = options.steps * options.batch
    one, apart, several, hand, itself = (seconds[lane] for lane in LANES)
    report = {
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "torch": torch.__version__,
        "network": f"zerosnet depth {options.depth} width {options.width}, {options.dataset}",
        "batch": f"{options.batch} images of each of {options.processes} processes",
        "rounds": options.rounds,
        "images_per_second": {
            lane: round(images * (1 if lane == "one process" else options.processes) / median, 1)
            for lane in LANES
            if (median := statistics.median(seconds[lane]))
        },
        "scaling_efficiency": ratio(one, several),
        "scaling_efficiency_apart": ratio(one, apart),
        "time_of_several_to_by_hand": ratio(several, hand),
        "time_of_several_to_itself": ratio(several, itself),
        "processor_time_of_several_to_by_hand": ratio(processor["several"], processor["by hand"]),
        "processor_time_of_several_to_itself": ratio(processor["several"], processor["of itself"]),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
