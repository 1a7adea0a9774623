"""Fashion-MNIST as 70,000 files, streamed to two processes on two nodes, which are killed as well.

    python benchmarks/data_parallel_for_real.py FOLDER [--seeds 3] [--epochs 3] [--kills 10]

ZeroSNet-18 with the body for ImageNet, an eighth as wide, on the 28x28 pixels of the files:

- memory: one process with one thread, which has all images in memory; 256 images a step.
- streamed: two processes with one thread each, on two nodes of a Ray cluster of this machine; 128
  images a step each, normalised together, so that a step is that of `memory` but for rounding.
- killed: the first seed of `streamed` again, while the driver, either process or the node of one of
  them is killed at random moments. It has to come to the same bits.

Each is a `sweep run` in a process of its own. The images are written into FOLDER once; the sweeps'
homes are made there anew.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import drivers
from drivers import Driver
from killed_gangs import Killed, victims, wait_until_nothing_is_left
from killed_raylets import RayNodes, ray_nodes
from results.comparison.agreement import joint_uncertainty
from results.queries.queries import Queries
from trainers.data.loading import Split
from trainers.data.readers import fashion_mnist

SPEC = """
name: {name}
model: {{name: zerosnet, body: imagenet, depth: 18, width: 8}}
scheme: {{lambda: -9/5}}
dataset:
  name: image_folder
  folder: {folder}
  size: 28
  classes: 10
  mean: 0.286
  std: 0.353
  in_memory: {in_memory}
  images: {{train: {train}, test: {test}}}
training:
  epochs: {epochs}
  optimizer: {{name: sgd, lr: 0.1, momentum: 0.9, weight_decay: 1e-4}}
  lr_schedule: {{name: cosine, by: step}}
  {batches}
precision: {precision}
grid: {{seed: {seeds}}}
resources: {resources}
faults: {{worker_lost: {{attempts: 100}}}}
"""

ALONE = {
    "in_memory": "true",
    "batches": "batch_size: 256",
    "resources": "{cpus: 1}",
}

TOGETHER = {
    "in_memory": "false",
    "batches": "batch_size: 128\n  data_parallel: 2\n  sync_batch_norm: true",
    "resources": "{cpus: 1, nodes: 2}",
}

SECONDS = 7200.0
"""For one sweep; only a hang takes so long."""

TELL_SECONDS = 20.0


def say(sentence: str) -> None:
    """With the time of day."""
    print(f"{time.strftime('%H:%M:%S')}  {sentence}", flush=True)


def write_images(data: Path, most: int) -> tuple[str, dict[str, int]]:
    """The first images of each part as files; the folder's name and how many there are of each."""
    found = fashion_mnist(data)
    counts, name = {}, f"fashion_mnist_{most}"
    new = data / f"{name}.new"
    shutil.rmtree(new, ignore_errors=True)
    for part, split in zip(("train", "test"), found, strict=True):
        assert isinstance(split, Split)
        counts[part] = min(most, len(split.labels))
        if (data / name).is_dir():
            continue
        for label in range(10):
            (new / part / str(label)).mkdir(parents=True)
        for number in range(counts[part]):
            path = new / part / str(split.labels[number]) / f"{number:05}.png"
            Image.fromarray(np.asarray(split.images[number, 0])).save(path)
    if not (data / name).is_dir():
        new.rename(data / name)
    return name, counts


def new_home(folder: Path, name: str) -> Path:
    """Without any run; the images are those of FOLDER."""
    home = folder / name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    (home / "data").symlink_to(folder / "data")
    return home


def write_spec(spec: Path, how: dict[str, str], **what: Any) -> Path:
    """Named like its file."""
    spec.write_text(SPEC.format(name=spec.stem, **how, **what))
    return spec


def finish(driver: Driver, home: Path, name: str, epochs: int) -> None:
    """Waits for the end of a sweep, and tells now and then how far it is."""
    told = time.monotonic()
    while driver.process.poll() is None:
        time.sleep(0.5)
        if time.monotonic() > told + TELL_SECONDS:
            stored = drivers.finished_epochs(home / "runs").values()
            say(f"{name}: {sum(min(epochs, each) for each in stored)} epochs are done")
            told = time.monotonic()
    driver.finish()


def results(home: Path, name: str) -> list[dict[str, Any]]:
    """Of each run, in the order of seeds."""
    with Queries.open(drivers.database_of(home)) as queries:
        rows = [queries.run_detail(row["run_id"]) for row in queries.run_rows([name])]
    return sorted(rows, key=lambda row: row["seed"])


def tell(name: str, runs: Sequence[dict[str, Any]]) -> None:
    accuracies = [run["test_accuracy"] for run in runs]
    shown = ", ".join(f"{accuracy:.2f}" for accuracy in accuracies)
    rate = statistics.mean(run["images_per_second"] for run in runs)
    mean = statistics.mean(accuracies)
    spread = f" ± {statistics.stdev(accuracies):.2f}" if len(runs) > 1 else ""
    say(f"{name}: test accuracy {mean:.2f}{spread} % ({shown}), {rate:,.0f} images a second")


def compare(alone: Sequence[dict[str, Any]], together: Sequence[dict[str, Any]]) -> None:
    """Whether the accuracies differ by more than noise."""
    first, second = ([run["test_accuracy"] for run in runs] for runs in (alone, together))
    difference = statistics.mean(second) - statistics.mean(first)
    print(f"streamed - memory: {difference:+.2f} points", end="")
    if len(first) > 1:
        half = joint_uncertainty(
            statistics.stdev(first), len(first), statistics.stdev(second), len(second)
        )
        verdict = "equal within noise" if abs(difference) <= half else "NOT equal within noise"
        print(f", Welch's 95 % interval ± {half:.2f}: {verdict}", end="")
    rates = [
        statistics.mean(run["images_per_second"] for run in runs) for runs in (alone, together)
    ]
    print(f"; {rates[1] / rates[0]:.2f} times the images a second", flush=True)


def killed_again(
    start: Callable[[Path], Driver],
    nodes: RayNodes,
    folder: Path,
    calm: dict[str, Any],
    kills: int,
    chance: random.Random,
) -> bool:
    """Whether a run that is killed so often comes to the bits of the undisturbed one."""
    home = new_home(folder, "killed")
    epochs = len(calm["epoch_history"])
    # By the quickest, since a kill that comes after the end is none.
    seconds = min(epoch["seconds"] for epoch in calm["epoch_history"])
    after = [number * (epochs - 1) // kills for number in range(kills)]
    plan = list(zip(after, victims(kills, chance), strict=True))
    killed = Killed(partial(start, home), nodes, home, lambda what: say(f"killed: {what}"))
    began = time.monotonic()
    killed.survive(plan, lambda: chance.uniform(0, 0.8 * seconds), SECONDS)
    took = time.monotonic() - began
    wait_until_nothing_is_left(killed, nodes)
    (run,) = results(home, "streamed")
    faults = [each["fault"] for each in run["attempt_history"] if each["state"] == "lost"]
    same = all(run[key] == calm[key] for key in ("run_id", "weights_sha256", "test_accuracy"))
    for mine, undisturbed in zip(run["epoch_history"], calm["epoch_history"], strict=True):
        same &= all(mine[key] == undisturbed[key] for key in mine if key != "seconds")
    say(
        f"killed: {kills} times, {len(faults)} attempts lost"
        f" ({', '.join(f'{fault} {faults.count(fault)}' for fault in sorted(set(faults)))}),"
        f" {took:.0f} s; weights {run['weights_sha256'][:16]}, undisturbed"
        f" {calm['weights_sha256'][:16]}: {'the same bits' if same else 'OTHER bits'};"
        " no process, place or CPU is left"
    )
    return same and len(faults) == kills


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=60_000, help="of each part, at most")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--precision", default="fp32", choices=["fp32", "fp64"])
    parser.add_argument("--chance", type=int, default=16, help="the seed of moments and victims")
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    (folder / "data").mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    name, counts = write_images(folder / "data", chosen.images)
    say(f"{sum(counts.values()):,} files are there, after {time.monotonic() - began:.0f} s")
    what = {
        "folder": name,
        "epochs": chosen.epochs,
        "precision": chosen.precision,
        **counts,
    }
    seeds = list(range(chosen.seeds))

    home = new_home(folder, "memory")
    spec = write_spec(folder / "memory.yaml", ALONE, seeds=seeds, **what)
    with Driver(spec, home, program=drivers.SWEEP) as driver:
        finish(driver, home, "memory", chosen.epochs)
    alone = results(home, "memory")
    tell("memory", alone)

    with ray_nodes(1) as nodes:
        home = new_home(folder, "streamed")

        def start(home: Path) -> Driver:
            return Driver(spec, home, executor="ray", more=["--ray-address", nodes.address])

        spec = write_spec(folder / "streamed.yaml", TOGETHER, seeds=seeds, **what)
        with start(home) as driver:
            finish(driver, home, "streamed", chosen.epochs)
        together = results(home, "streamed")
        tell("streamed", together)
        compare(alone, together)
        same = True
        if chosen.kills:
            spec = write_spec(folder / "streamed.yaml", TOGETHER, seeds=seeds[:1], **what)
            chance = random.Random(chosen.chance)
            same = killed_again(start, nodes, folder, together[0], chosen.kills, chance)
    say(f"done after {time.monotonic() - began:.0f} s")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
