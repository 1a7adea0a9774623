"""What logs cost: no-op runs inline, with logs and without, and with runs that print.

    python benchmarks/logs.py --runs 2000 --turns 5

Each turn is a `sweep run` in a process of its own, from the first claim to the last commit, and its
processor time with that of the process that writes the logs, of the whole program.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SPEC = """
name: nothing
model: zerosnet
depth: 8
dataset: digits
trainer: {trainer}
training: {{epochs: 1}}
grid: {{scheme: [{{lambda: 10}}], seed: {seeds}}}
"""
WITHOUT = """
from contextlib import nullcontext
from sweeper.executors import inline
inline.RunLogs = lambda *_: type("NoLogs", (), {
    "of": lambda *_: nullcontext(), "close": lambda _: None
})()
"""
KINDS = {
    "without logs": ("no_op:nothing", WITHOUT),
    "with logs": ("no_op:nothing", ""),
    "10 lines a run": ("no_op:ten_lines", ""),
}
_BECOME_PARENT = 36  # PR_SET_CHILD_SUBREAPER: of the process that writes the logs, whose is nobody


def turn(kind: str, runs: int) -> tuple[float, float]:
    """Runs a second, and milliseconds of processor time a run."""
    trainer, before = KINDS[kind]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = SPEC.format(trainer=trainer, seeds=list(range(runs)))
        (folder / "nothing.yaml").write_text(spec)
        start = "from sweeper.program import main; main()"
        arguments = ["run", "nothing.yaml", "--home", "home", "--executor", "inline"]
        path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
        used = _processor_seconds()
        done = subprocess.run(
            [sys.executable, "-c", before + start, *arguments],
            cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break
        used = _processor_seconds() - used
        connection = sqlite3.connect(folder / "home" / "sweep.db")
        finished, first, last = connection.execute(
            "SELECT count(*), min(started_at), max(finished_at) FROM attempts WHERE state = 'done'"
        ).fetchone()
        assert finished == runs
        return runs / (last - first), 1000 * used / runs


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=5)
    chosen = parser.parse_args()
    ctypes.CDLL(None).prctl(_BECOME_PARENT, 1, 0, 0, 0)
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for _ in range(chosen.turns):
        for kind, turns in found.items():
            turns.append(turn(kind, chosen.runs))
    for kind, turns in found.items():
        rate, used = (statistics.median(values) for values in zip(*turns, strict=True))
        print(f"{kind:16} {rate:7.0f} runs a second, {used:6.3f} ms of processor time a run")


if __name__ == "__main__":
    main()
