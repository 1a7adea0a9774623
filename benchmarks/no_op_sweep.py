"""A `sweep run` in a process of its own, timed from the first claim to the last commit."""

from __future__ import annotations

import ctypes
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SPEC = """
name: nothing
model: zerosnet
depth: 8
dataset: digits
trainer: no_op:{trainer}
training: {{epochs: 1}}
grid: {{scheme: [{{lambda: 10}}], seed: {seeds}}}
"""
_BECOME_PARENT = 36  # PR_SET_CHILD_SUBREAPER: of processes whose own parent has ended


@dataclass(frozen=True)
class Timed:
    """What it took; `processor_seconds` are of the whole program, with its child processes."""

    runs: int
    seconds: float
    processor_seconds: float
    output: str

    @property
    def rate(self) -> float:
        """Runs a second."""
        return self.runs / self.seconds

    @property
    def processor_milliseconds(self) -> float:
        """Of a run."""
        return 1000 * self.processor_seconds / self.runs


def no_op_spec(runs: int, trainer: str = "nothing") -> str:
    """Of so many runs of a trainer of no_op.py."""
    return SPEC.format(trainer=trainer, seeds=list(range(runs)))


def timed_sweep(spec: str, *, executor: str = "inline", before: str = "") -> Timed:
    """Run it in an empty folder, after the Python code `before`; all its runs have to get done."""
    ctypes.CDLL(None).prctl(_BECOME_PARENT, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "spec.yaml").write_text(spec)
        start = f"{before}\nfrom sweeper.program import main; main()"
        arguments = ["run", "spec.yaml", "--home", "home", "--executor", executor]
        path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
        used = _processor_seconds()
        done = subprocess.run(
            [sys.executable, "-c", start, *arguments],
            cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        _wait_for_children()
        used = _processor_seconds() - used
        connection = sqlite3.connect(folder / "home" / "sweep.db")
        runs, first, last = connection.execute(
            "SELECT count(*), min(started_at), max(finished_at) FROM attempts WHERE state = 'done'"
        ).fetchone()
        assert (runs,) == connection.execute("SELECT count(*) FROM runs").fetchone(), done.stderr
    return Timed(runs, last - first, used, done.stdout)


def _wait_for_children() -> None:
    """Such as the process that writes the logs, which ends after the program."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
