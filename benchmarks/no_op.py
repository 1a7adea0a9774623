"""A trainer that does nothing, so that only what happens around a run is left to be measured."""

from __future__ import annotations

from trainers.config.job import TrainingJob, TrainingResult


def nothing(job: TrainingJob) -> TrainingResult:
    """One epoch without training."""
    return {
        "parameters": job.config.parameters,
        "test_accuracy": 50.0,
        "best_test_accuracy": 50.0,
        "best_epoch": 1,
        "train_accuracy": 50.0,
        "generalization_gap": 0.0,
        "test_loss": 1.0,
        "train_loss": 1.0,
        "diverged": False,
        "diverged_epoch": None,
        "train_seconds": 0.001,
        "images_per_second": 1000.0,
        "weights_sha256": "0" * 64,
        "learned_coefficients": None,
        "epochs": [
            {
                "epoch": 1,
                "learning_rate": 0.1,
                "train_loss": 1.0,
                "train_accuracy": 50.0,
                "test_loss": 1.0,
                "test_accuracy": 50.0,
                "seconds": 0.001,
            }
        ],
        "evaluations": [],
    }


def one_epoch(job: TrainingJob) -> TrainingResult:
    """The same, of a run that reports its epoch."""
    result = nothing(job)
    if job.on_epoch is not None:
        job.on_epoch(result["epochs"][0])
    return result


def ten_lines(job: TrainingJob) -> TrainingResult:
    """The same, of a run that says something."""
    for number in range(10):
        print(f"line {number} of a run that does nothing, and tells how it went")
    return nothing(job)
