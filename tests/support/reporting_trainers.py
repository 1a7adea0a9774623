"""Trainers that report while they train, and wait to be looked at."""

from __future__ import annotations

import os
import time
from typing import Any

from fake_trainers import quick
from results.queries.queries import Queries
from trainers.config.job import TrainingJob, TrainingResult
from trainers.own.job import Job


def reports(job: Job) -> None:
    """As many epochs as its options say, and raises; with -1, one, and a checkpoint."""
    epochs = job.options["epochs"]
    for epoch in range(1, max(epochs, 1) + 1):
        job.report(epoch, f1=epoch / 10, test_accuracy=10.0 * epoch)
    if epochs < 0:
        job.checkpoint(1, {})
    raise RuntimeError("after its last report")


def waits(job: Job) -> dict[str, float]:
    """Reports three epochs, waits for a file `go` in the data folder, and reports a fourth.

    Seed 1 then raises.
    """
    for epoch in range(1, 5):
        while epoch == 4 and not (job.data_dir / "go").exists():
            job.beat()
            time.sleep(0.02)
        job.report(epoch, f1=epoch / 10, loss=1 / epoch)
    if job.seed == 1:
        raise RuntimeError("after its last report")
    return {"f1": 0.5}


def classifier_waits(job: TrainingJob) -> TrainingResult:
    """The same, of a trainer of images: two epochs before it waits."""
    result = quick(job)
    for metrics in result["epochs"]:
        if metrics["epoch"] == 3:
            while not (job.data_dir / "go").exists():
                time.sleep(0.02)
        if job.on_epoch is not None:
            job.on_epoch(metrics)
    return result


def stores(job: Job) -> dict[str, float]:
    """Reports three epochs, and ends when the database has them."""
    for epoch in (1, 2, 3):
        job.report(epoch, f1=epoch / 10, test_accuracy=10.0 * epoch)
    with Queries.open(os.environ["WHERE_RUNS_ARE_STORED"]) as queries:
        while len(queries.run_detail(job.run_id)["metric_history"]) < 3:
            job.beat()
            time.sleep(0.01)
    return {"f1": 0.5}


def nonsense(job: Any) -> dict[str, float]:
    """Reports past its job what no run can store, waits for `go`, and returns what it can."""
    for epoch in (1, 2):
        job.on_report(epoch, {"seed": 3.0}, 0)
    while not (job.data_dir / "go").exists():
        job.beat()
        time.sleep(0.02)
    return {"f1": 0.5}
