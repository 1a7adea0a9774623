"""How busy slots are kept: the first run, the gaps between runs, the end of a sweep, and memory.

    python benchmarks/slots.py [--runs 200] [--many 10000]

Through Ray into SQLite, one slot a core, by the times that workers and the database note:

- first: from the start of the command to the start of each worker's first run, Ray's own start
  and the workers' imports included;
- gap: from the end of a run to the start of the next one on the same worker. In between lie the
  result's file, the way to the driver, and back;
- makespan: from the first run's start to the last one's end, over total work through slots, for
  runs that sleep for times drawn from a log-normal distribution (median 1 s, the longest some
  10 s), in an order that says nothing of them;
- memory: the driver's resident memory at a tenth and at the end of a sweep of many runs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sleeping import SECONDS_AN_EPOCH

HERE = Path(__file__).parent
SPEC = """
name: slots
model: zerosnet
depth: 8
dataset: digits
trainer: {trainer}
grid: {{scheme: {schemes}}}
zip: {{training.epochs: {epochs}, seed: {seeds}}}
"""


@contextmanager
def sweep(
    folder: Path, trainer: str, epochs: list[int], schemes: int = 1
) -> Iterator[subprocess.Popen[str]]:
    """A running `sweep run`, with one run for each of `epochs` and of `schemes` schemes."""
    text = SPEC.format(
        trainer=trainer,
        epochs=epochs,
        seeds=list(range(len(epochs))),
        schemes=f"[{', '.join(f'{{lambda: {10 + number}}}' for number in range(schemes))}]",
    )
    (folder / "slots.yaml").write_text(text)
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("sweep"), "run", "slots.yaml", "--home", "home"],
            cwd=folder, env={**os.environ, "PYTHONPATH": path}, stderr=said, text=True,
        )  # fmt: skip
        yield process
        if process.wait():
            raise SystemExit((folder / "said").read_text())


def attempts(folder: Path) -> dict[int, list[dict[str, Any]]]:
    """What each worker did, in order."""
    with sqlite3.connect(folder / "home" / "sweep.db") as connection:
        rows = connection.execute("SELECT provenance FROM attempts WHERE state = 'done'")
        noted = sorted((json.loads(text) for (text,) in rows), key=lambda at: at["started_at"])
    by_worker: dict[int, list[dict[str, Any]]] = {}
    for attempt in noted:
        by_worker.setdefault(attempt["pid"], []).append(attempt)
    return by_worker


def mixed(runs: int) -> dict[str, Any]:
    """First runs, gaps and makespan of runs of mixed length."""
    chance = random.Random(0)
    epochs = [
        max(1, min(200, round(chance.lognormvariate(0, 0.8) / SECONDS_AN_EPOCH)))
        for _ in range(runs)
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.time()
        with sweep(folder, "sleeping:sleeps", epochs):
            pass
        workers = attempts(folder)
    gaps = sorted(
        1000 * (after["started_at"] - before["finished_at"])
        for done in workers.values()
        for before, after in itertools.pairwise(done)
    )
    everything = [attempt for done in workers.values() for attempt in done]
    work = sum(epochs) * SECONDS_AN_EPOCH
    span = max(at["finished_at"] for at in everything) - min(at["started_at"] for at in everything)
    return {
        "runs": runs,
        "slots": len(workers),
        "first_run_seconds": sorted(
            round(done[0]["started_at"] - started, 2) for done in workers.values()
        ),
        "gap_milliseconds": {
            "median": round(gaps[len(gaps) // 2], 1),
            "99th percentile": round(gaps[int(len(gaps) * 0.99)], 1),
            "most": round(gaps[-1], 1),
        },
        "makespan_over_work": round(span * len(workers) / work, 3),
    }


def memory(runs: int) -> dict[str, Any]:
    """Resident memory of the driver while it goes through runs that do nothing, in MB."""
    seen: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with sweep(folder, "no_op:nothing", [1] * (runs // 10), schemes=10) as process:
            database = f"file:{folder}/home/sweep.db?mode=ro"
            while process.poll() is None:
                time.sleep(0.5)
                try:
                    with sqlite3.connect(database, uri=True) as connection:
                        (done,) = connection.execute(
                            "SELECT count(*) FROM attempts WHERE state = 'done'"
                        ).fetchone()
                    status = Path(f"/proc/{process.pid}/status").read_text()
                    kilobytes = int(status.split("VmRSS:")[1].split()[0])
                except (sqlite3.OperationalError, OSError, IndexError):
                    continue  # not there yet, or over
                seen.append((done, kilobytes / 1024))
    early = next(mb for done, mb in seen if done >= runs / 10)
    late = [mb for done, mb in seen if done >= 0.9 * runs]
    return {
        "runs": runs,
        "after_a_tenth_mb": round(early),
        "at_the_end_mb": round(late[-1]),
        "most_mb": round(max(mb for _, mb in seen)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--many", type=int, default=10_000)
    options = parser.parse_args()
    print(json.dumps({"mixed": mixed(options.runs)}, indent=1), flush=True)
    print(json.dumps({"memory": memory(options.many)}, indent=1))


if __name__ == "__main__":
    main()
