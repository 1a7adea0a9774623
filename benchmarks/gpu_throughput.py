"""Training images a second on one GPU: the plain recipe, this project's step, and packed runs.

    python benchmarks/gpu_throughput.py [--depth 32] [--rounds 3] [--out gpu.json]

docs/gpu.md says what each lane is, and what its figure is for. Lanes take turns, round by round; a
figure is the median of the rounds, a ratio the median of the rounds' ratios. The table comes last;
the report is rewritten after every row, so that a run that is cut short leaves what it had.

It needs torch, torchvision, numpy, pydantic, rfc8785 and this repository's package `trainers`,
which PYTHONPATH=. provides.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from pathlib import Path


def main() -> int:
    options = _options()
    # Read when the device is first used: streams that share a connection to it wait for each other.
    os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "32")
    import torch

    # A process of a pack imports this module, too, and needs none of these.
    from gpu.bench import Bench
    from gpu.bounds import bounds, copy_bandwidth
    from gpu.images import BATCH_SIZE, PRECISIONS, config_of
    from gpu.lanes import LANES
    from gpu.mps import MpsUnavailableError
    from gpu.report import Report, machine

    from trainers.torch_setup import prepare_torch

    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("there is no CUDA device here; --device cpu tries what needs none", file=sys.stderr)
        return 2
    names = options.lanes or [name for name, lane in LANES.items() if lane.by_default]
    if options.mps and "processes-mps" not in names:
        names.append("processes-mps")
    unknown = [name for name in names if name not in LANES]
    if unknown:
        print(f"no lanes {unknown}; there are {list(LANES)}", file=sys.stderr)
        return 2
    cores = len(os.sched_getaffinity(0))
    prepare_torch(1 if device.type == "cuda" else cores)
    model = {"name": "zerosnet", "depth": options.depth, "width": options.width}
    config = config_of(model, "fp32")
    bandwidth = copy_bandwidth(device)
    report = Report(
        {
            "machine": machine(device),
            "network": {
                **model,
                "parameters": config.parameters,
                "multiply_adds_per_image": config.multiply_adds_per_image,
            },
            "batch_size": BATCH_SIZE,
            "images": options.images,
            "rounds": options.rounds,
            "seconds": options.seconds,
            "copy_bytes_per_second": round(bandwidth),
            "byte_bound": {
                precision: bounds(config, precision, bandwidth) for precision in PRECISIONS
            },
        }
    )
    bench = Bench(
        device=device,
        model=model,
        images=options.images,
        seconds=options.seconds,
        packs=options.pack,
        workers=max(1, cores // 2),
        check_steps=options.check_steps,
    )
    _ = bench.data  # so that no lane's memory counts it
    for round_ in range(options.rounds):
        report.begin_round()
        for name in names:
            if LANES[name].needs_cuda and device.type != "cuda":
                report.skipped[name] = "needs CUDA"
            if name in report.skipped:
                continue
            try:
                for row in LANES[name].lane(bench, round_ == 0):
                    report.add(row)
                    print(f"{row.name}: {row.images_per_second:,.0f} images/s", file=sys.stderr)
                    if options.out is not None:
                        report.save(options.out)
            except MpsUnavailableError as error:
                report.skipped[name] = str(error)
            except Exception:
                # One lane that fails, by a lack of memory say, costs its own figures alone.
                report.errors[name] = traceback.format_exc()
                print(report.errors[name], file=sys.stderr)
    if options.out is not None:
        report.save(options.out)
    print(report.table())
    return 1 if report.errors or report.to_json()["failed_checks"] else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=32, help="6n + 2 (default: 32)")
    parser.add_argument("--width", type=int, default=16, help="of the first stage (default: 16)")
    parser.add_argument("--seconds", type=float, default=2.0, help="a row and round (default: 2)")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--lanes", type=_names, help="such as baseline,graph,streams")
    parser.add_argument(
        "--pack", type=_sizes, help="runs at once (default: 2,4,8,16,32; 2 on the CPU)"
    )
    parser.add_argument("--images", type=int, default=50_000, help="default: 50000")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="default: cuda")
    parser.add_argument("--mps", action="store_true", help="also share the GPU by a daemon of MPS")
    parser.add_argument(
        "--check-steps", type=int, help="before weights are compared (default: 20; 2 on the CPU)"
    )
    parser.add_argument("--out", type=Path, help="where the report goes, as JSON")
    options = parser.parse_args()
    on_gpu = options.device == "cuda"
    options.pack = options.pack or ((2, 4, 8, 16, 32) if on_gpu else (2,))
    options.check_steps = options.check_steps or (20 if on_gpu else 2)
    return options


def _names(text: str) -> list[str]:
    return text.split(",")


def _sizes(text: str) -> tuple[int, ...]:
    sizes = sorted({int(size) for size in text.split(",")})
    if not 2 <= sizes[0] <= sizes[-1] <= 32:
        # Two graphs on one stream would share cuBLAS's memory, and torch has 32 streams.
        raise argparse.ArgumentTypeError("packs are of 2 to 32 runs")
    return tuple(sizes)


if __name__ == "__main__":
    sys.exit(main())
