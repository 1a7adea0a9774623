"""What `compile: true` costs before the first step, and after how many images it has paid.

    python benchmarks/compiling.py [--depths 20 56] [--precisions fp32 bf16]

Each time in a fresh process on one thread: with an empty folder of graphs (`made`), then with the
graphs on disk (`found`); along with the images a second of training steps and of forward passes,
plain and compiled in turns, in the second process. `pays_after` is how many training images it
takes until the time saved is the time that making the graphs took.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

BATCH_SIZE = 128
ROUNDS = 9


def measure(depth: int, precision: str) -> dict[str, Any]:
    """In this process: seconds until the graphs are there, and images a second."""
    import torch

    from trainers.config.run import RunConfig
    from trainers.evaluation.batches import forward_batch
    from trainers.optim.compilation import compiled
    from trainers.torch_setup import prepare_torch
    from trainers.training.building import build_network

    prepare_torch(1)
    config = RunConfig.model_validate(
        {
            "model": {"name": "zerosnet", "depth": depth},
            "dataset": "fashion_mnist",
            "training": {"batch_size": BATCH_SIZE},
            "precision": precision,
            "compile": True,
            "seed": 0,
        }
    )
    device = torch.device("cpu")
    started = time.perf_counter()
    passes = compiled(build_network(config, "cpu"), config, device)
    seconds = time.perf_counter() - started

    def images_a_second(network: torch.nn.Module, training: bool) -> float:
        network.train(training)
        count = BATCH_SIZE if training else forward_batch("cpu", 28 * 28)
        images = torch.randn(count, 1, 28, 28).contiguous(memory_format=torch.channels_last)
        began = time.perf_counter()
        with (
            torch.set_grad_enabled(training),
            torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"),
        ):
            logits = network(images)
        if training:
            logits.float().sum().backward()
        return count / (time.perf_counter() - began)

    rates: dict[str, float] = {}
    for training, name in ((True, "training"), (False, "forward")):
        seen: dict[str, list[float]] = {"plain": [], "compiled": []}
        for _ in range(ROUNDS):
            seen["plain"].append(images_a_second(passes.network, training))
            seen["compiled"].append(images_a_second(passes, training))
        rates |= {f"{name}_{which}": statistics.median(found) for which, found in seen.items()}
    return {"seconds": seconds, **rates}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depths", type=int, nargs="+", default=[20, 56])
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(int(options.only[0]), options.only[1])))
        return
    for depth in options.depths:
        for precision in options.precisions:
            with tempfile.TemporaryDirectory() as graphs:
                made, found = (
                    json.loads(
                        subprocess.run(
                            [sys.executable, __file__, "--only", str(depth), precision],
                            env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": graphs},
                            check=True, capture_output=True, text=True,
                        ).stdout.splitlines()[-1]
                    )
                    for _ in range(2)
                )  # fmt: skip
            saved = 1 / found["training_plain"] - 1 / found["training_compiled"]
            report = {
                "depth": depth,
                "precision": precision,
                "made_seconds": round(made["seconds"], 1),
                "found_seconds": round(found["seconds"], 1),
                "training_times": round(found["training_compiled"] / found["training_plain"], 2),
                "forward_times": round(found["forward_compiled"] / found["forward_plain"], 2),
                "pays_after_images": round(made["seconds"] / saved) if saved > 0 else None,
            }
            print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
