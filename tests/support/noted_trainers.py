"""Trainers that a spec can name, which note each epoch that they finish.

The notes lie in the data folder: one line each, `PID RUN_ID ATTEMPT EPOCH`; epoch 0 is the start.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import NamedTuple

import fake_trainers
from trainers.config.job import EpochMetrics, TrainingJob, TrainingResult

FILE = "epochs.txt"


class Note(NamedTuple):
    """One line."""

    pid: int
    run_id: str
    attempt: int
    epoch: int


def paced(job: TrainingJob) -> TrainingResult:
    """As `fake_trainers.paced`."""
    return _noted(fake_trainers.paced, job)


def digits(job: TrainingJob) -> TrainingResult:
    """As the real trainer."""
    from trainers.training.train import train

    return _noted(train, job)


def _noted(trainer: Callable[[TrainingJob], TrainingResult], job: TrainingJob) -> TrainingResult:
    def note(epoch: int) -> None:
        attempt = fake_trainers.attempt_of(job)
        # One short write at the end of a file is never mixed with another process's.
        file = os.open(job.data_dir / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, f"{os.getpid()} {job.config.run_id} {attempt} {epoch}\n".encode())
        finally:
            os.close(file)

    def on_epoch(metrics: EpochMetrics) -> None:
        note(metrics["epoch"])
        if job.on_epoch is not None:
            job.on_epoch(metrics)

    job.data_dir.mkdir(parents=True, exist_ok=True)
    note(0)
    told = copy(job)
    vars(told)["on_epoch"] = on_epoch
    return trainer(told)


def read_notes(data: Path) -> list[Note]:
    """All that were noted so far, in order."""
    path = data / FILE
    if not path.exists():
        return []
    found = []
    for line in path.read_text().splitlines():
        pid, run_id, attempt, epoch = line.split()
        found.append(Note(int(pid), run_id, int(attempt), int(epoch)))
    return found
