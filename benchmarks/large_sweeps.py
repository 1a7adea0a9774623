"""A sweep of 100,000 runs: what it costs to plan it, and to go on when 1,000 of them are left.

    python benchmarks/large_sweeps.py [--executor inline]

Both commands run as a user runs them, on an SQLite file in a temporary folder. The results that
are there already are written through the same store as a driver's.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from no_op import nothing

from results.store.store import Store
from sweeper.planning.plan import new_run
from sweeper.spec.spec import load_spec

HERE = Path(__file__).parent
LEFT = 1_000
SPEC = f"""
name: large
model: zerosnet
dataset: digits
trainer: no_op:nothing
training: {{epochs: 1}}
grid:
  scheme: [{", ".join(f"{{lambda: {n}}}" for n in range(1, 11))}]
  depth: [{", ".join(str(6 * n + 2) for n in range(1, 11))}]
  seed: [{", ".join(map(str, range(1000)))}]
"""


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds, and the most memory that the process held, in MB."""
    with (folder / "output.txt").open("w") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=output)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return seconds, used.ru_maxrss / 1024


def environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}


def fill(folder: Path) -> None:
    """All runs but LEFT are done."""
    spec = load_spec(folder / "large.yaml", [])
    with Store.open(f"sqlite:///{folder}/home/sweep.db") as store, store.driving():
        runs = [new_run(config) for config in spec.configs]
        store.save_sweep(spec.name, spec.text, spec.source, (), None, runs, [])
        done = spec.configs[:-LEFT]
        for start in range(0, len(done), 1000):
            part = done[start : start + 1000]
            taken = store.claim_all([config.run_id for config in part], provenance={})
            store.commit_all(
                [(c.run_id, taken[c.run_id], result(c, taken[c.run_id])) for c in part]
            )


def result(config: Any, attempt: int) -> dict[str, Any]:
    trained = nothing(cast(Any, SimpleNamespace(config=config)))
    return {
        "format": 1,
        "run_id": config.run_id,
        "attempt": attempt,
        **trained,
        "provenance": {"device": "cpu"},
    }


def resumed(sweep: str, executor: str, folder: Path) -> tuple[float, float, float]:
    """Seconds to the first claim and to the end, and the most memory of the driver, in MB."""
    started = time.time()
    command = [sweep, "resume", "large", "--home", "home", "--executor", executor]
    seconds, memory = measured(command, folder)
    with sqlite3.connect(folder / "home" / "sweep.db") as connection:
        (first,) = connection.execute(
            "SELECT min(started_at) FROM attempts WHERE started_at >= ?", (started,)
        ).fetchone()
        (done,) = connection.execute("SELECT count(*) FROM runs WHERE state = 'done'").fetchone()
    assert done == 100_000
    return first - started, seconds, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executor", default="ray")
    options = parser.parse_args()
    sweep = str(Path(sys.executable).with_name("sweep"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "large.yaml").write_text(SPEC)
        for counted in (False, True, True):
            seconds, memory = measured([sweep, "plan", "large.yaml", "--home", "home"], folder)
            note = "" if counted else ", whose networks are counted for the first time"
            print(f"plan of 100,000 runs{note}: {seconds:.2f} s, {memory:.0f} MB")
        fill(folder)
        first, seconds, memory = resumed(sweep, options.executor, folder)
        print(
            f"resume with {LEFT:,} left ({options.executor}): first claim after {first:.2f} s,"
            f" done after {seconds:.2f} s, {memory:.0f} MB"
        )


if __name__ == "__main__":
    main()
