"""How far `sweep plan` is off: what runs take on this CPU, and what was expected of them.

    PYTHONPATH=. python benchmarks/estimates.py [--images 1000] [--batch 128] [--rounds 3]

Each network trains on random images of 3 x 32 x 32, one epoch a round, one thread, as runs do:
`trainers.optim.step.Steps` with SGD. Seconds are processor time of the quickest round, as other
programs may run. "by figures" is the estimate from the table of devices, with ! where the time is
out of its range, and "by others" that from the times of all networks but this one. Memory is what
the process grew by at most, beside what the estimate says without CUDA's context.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

MODELS: list[dict[str, Any]] = [
    {"name": "zerosnet", "depth": 20},
    {"name": "zerosnet", "depth": 56},
    {"name": "preresnet", "depth": 29, "block": "bottleneck"},
    {"name": "ho_resnet", "depth": 26},
    {"name": "polynet", "depth": 20},
    {"name": "resnet", "depth": 18, "width": 16},
]


def config_of(model: dict[str, Any], images: int, batch: int) -> Any:
    from trainers.config.run import RunConfig

    return RunConfig.model_validate(
        {
            "model": model,
            "dataset": {"name": "cifar10", "subset": images},
            "training": {"batch_size": batch, "epochs": 1},
            "seed": 0,
        }
    )


def measure(model: dict[str, Any], images: int, batch: int, rounds: int) -> dict[str, float]:
    """Processor time of an epoch, and bytes that the process grew by at most."""
    import torch

    from trainers.optim.optimizers import make_optimizer
    from trainers.optim.step import Steps
    from trainers.training.building import build_network

    torch.set_num_threads(1)
    config = config_of(model, images, batch)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (images, 3, 32, 32), generator=generator, dtype=torch.uint8)
    labels = torch.randint(10, (images,), generator=generator)

    def epoch(network: Any, steps: Steps) -> float:
        network.train()
        started = time.process_time()
        for start in range(0, images, batch):
            part = slice(start, start + batch)
            steps.learn(pixels[part], labels[part], share=1)
            steps.step(0.1)
        return time.process_time() - started

    # What torch and its kernels need however large a network is, is there before.
    small = config_of({"name": "zerosnet", "depth": 8, "width": 1}, images, batch)
    first = build_network(small, "cpu")
    epoch(first, Steps(first, make_optimizer(first, small.training.optimizer), small))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    network = build_network(config, "cpu")
    steps = Steps(network, make_optimizer(network, config.training.optimizer), config)
    seconds = min(epoch(network, steps) for _ in range(rounds))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": seconds, "bytes": grown * 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="one model, as JSON: its measurement is printed")
    options = parser.parse_args()
    given = options.images, options.batch
    if options.only:
        print(json.dumps(measure(json.loads(options.only), *given, options.rounds)))
        return
    from results.records import CostSample
    from sweeper.planning.cost import CostModel
    from sweeper.planning.devices import CPU_CORE
    from sweeper.planning.memory import memory_of
    from sweeper.planning.slot import Slot
    from sweeper.planning.step_time import training_seconds

    found = []
    for model in MODELS:
        again = [sys.executable, *sys.argv, "--only", json.dumps(model)]
        done = subprocess.run(again, capture_output=True, text=True, check=True)
        config = config_of(model, *given)
        measured = json.loads(done.stdout)
        unknown: dict[str, Any] = dict.fromkeys(CostSample.__dataclass_fields__)
        speed = config.train_images / measured["seconds"]
        known = {"device": "cpu", "runs": 1, "images_per_second": speed, "config": config.to_json()}
        sample = CostSample(**unknown | known)
        found.append((config, measured, sample))
    print(f"{'network':24} {'measured':>9} {'by figures':>18} {'by others':>18} {'memory':>24}")
    for config, measured, sample in found:
        seconds = measured["seconds"]
        by_figures = training_seconds(config, Slot(CPU_CORE, 1))
        others = CostModel.from_samples([s for _, _, s in found if s is not sample])
        whole = others.estimate(config, 0)
        alone = CostModel({}).estimate(config, 0)
        assert whole is not None
        assert alone is not None
        by_others = by_figures.usual * whole.seconds.usual / alone.seconds.usual
        inside = by_figures.low < seconds < by_figures.high
        memory = memory_of(config, "cpu")
        assert memory is not None
        expected = memory.least + memory.work
        name = f"{config.model.name} {config.model.depth}"
        print(
            f"{name:24} {seconds:7.2f} s"
            f" {by_figures.usual:7.2f} s {by_figures.usual / seconds:5.2f}x{'' if inside else '!'}"
            f" {by_others:9.2f} s {by_others / seconds:5.2f}x"
            f" {measured['bytes'] / 2**20:7.0f} of {expected / 2**20:5.0f} MiB"
            f" {expected / measured['bytes']:5.2f}x",
            flush=True,
        )


if __name__ == "__main__":
    main()
