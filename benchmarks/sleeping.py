"""A trainer that waits as long as its epochs say, so that how slots are kept busy can be seen."""

from __future__ import annotations

import time

from no_op import nothing

from trainers.config.job import TrainingJob, TrainingResult

SECONDS_AN_EPOCH = 0.05


def sleeps(job: TrainingJob) -> TrainingResult:
    """Takes SECONDS_AN_EPOCH for each epoch of its config, and trains nothing."""
    time.sleep(SECONDS_AN_EPOCH * job.config.training.epochs)
    return nothing(job)
