"""Trainers that a spec can name, for testing what happens around a run.

They do no mathematics; each shows one way in which a run can end.
"""

from __future__ import annotations

import os
import signal
import time

from trainers.job import EpochMetrics, TrainingJob, TrainingResult


def quick(job: TrainingJob) -> TrainingResult:
    """Finishes at once; the accuracy tells the seed."""
    accuracy = 50.0 + job.config.seed
    epochs: list[EpochMetrics] = [
        {
            "epoch": epoch,
            "learning_rate": 0.1,
            "train_loss": 1.0,
            "train_accuracy": accuracy + 1,
            "test_loss": 1.0,
            "test_accuracy": accuracy,
            "seconds": 0.001,
        }
        for epoch in range(1, job.config.training.epochs + 1)
    ]
    return {
        "parameters": job.config.parameters,
        "test_accuracy": accuracy,
        "best_test_accuracy": accuracy,
        "best_epoch": 1,
        "train_accuracy": accuracy + 1,
        "generalization_gap": 1.0,
        "test_loss": 1.0,
        "train_loss": 1.0,
        "diverged": False,
        "diverged_epoch": None,
        "train_seconds": 0.001,
        "images_per_second": 1000.0,
        "weights_sha256": "0" * 64,
        "learned_coefficients": None,
        "epochs": epochs,
        "evaluations": [
            {
                "evaluation_id": evaluation.evaluation_id,
                "name": evaluation.name,
                "kind": evaluation.kind,
                "level": evaluation.level,
                "config": evaluation.config,
                "accuracy": accuracy - 10,
                "loss": 2.0,
            }
            for evaluation in job.evaluations
        ],
    }


def odd_seeds_raise(job: TrainingJob) -> TrainingResult:
    """Raises for every second seed."""
    if job.config.seed % 2:
        raise RuntimeError(f"seed {job.config.seed} is odd")
    return quick(job)


def raises_until_mended(job: TrainingJob) -> TrainingResult:
    """Raises until the data folder holds a file `mended`."""
    if not (job.data_dir / "mended").exists():
        raise RuntimeError("not mended yet")
    return quick(job)


def dies(job: TrainingJob) -> TrainingResult:
    """Takes its whole process with it."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def dies_once(job: TrainingJob) -> TrainingResult:
    """Takes its process with it at the first attempt, and finishes at the second."""
    assert job.folder is not None
    if job.folder.name == "1":
        dies(job)
    return quick(job)


def loses_its_dataset(job: TrainingJob) -> TrainingResult:
    """As if the data were not on this machine."""
    from trainers.errors import DatasetMissingError

    raise DatasetMissingError("the data are not here; put them there")


def stores_nonsense(job: TrainingJob) -> TrainingResult:
    """A result that lacks what a result must have."""
    result = quick(job)
    del result["test_accuracy"]  # type: ignore[misc]
    return result


def slow(job: TrainingJob) -> TrainingResult:
    """Takes a tenth of a second for each epoch."""
    time.sleep(0.1 * job.config.training.epochs)
    return quick(job)
