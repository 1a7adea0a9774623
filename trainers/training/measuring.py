"""Accuracy and loss of a run's network, while it trains and afterwards."""

from __future__ import annotations

import math

import torch
from torch import nn

from trainers.config.evaluations import EvaluationConfig
from trainers.config.job import EvaluationResult, TrainingJob
from trainers.data.labelled_images import LabelledImages
from trainers.errors import CheckpointError
from trainers.evaluation.measure import Measurement, evaluate_images
from trainers.evaluation.precision import computing_in
from trainers.parallel.group import Group
from trainers.training.building import build_network
from trainers.training.checkpoint import StoredWeights
from trainers.training.fitting import weights_fit
from trainers.training.images import opened_tests


def evaluate_weights(job: TrainingJob, stored: StoredWeights) -> list[EvaluationResult]:
    """Evaluate a network that was trained before, by its stored final weights.

    Raises CheckpointError if they are not of this network.
    """
    if stored.diverged:
        return [evaluation_result(evaluation, None) for evaluation in job.evaluations]
    device = torch.device(job.device)
    network = build_network(job.config, job.device)
    if not weights_fit(network, stored.weights):
        raise CheckpointError(
            f"the stored weights of run {job.config.run_id} have not the names, shapes and types of"
            " its network's"
        )
    network.load_state_dict(stored.weights)
    with (
        computing_in(device, job.config.precision),
        opened_tests(job.config, job.data_dir, device, workers=job.workers) as images,
    ):
        passes = passes_of(network, job, device, to_train=False)
        return [
            evaluation_result(evaluation, measure(passes, job, evaluation, images))
            for evaluation in job.evaluations
        ]


def passes_of(
    network: nn.Module, job: TrainingJob, device: torch.device, *, to_train: bool = True
) -> nn.Module:
    """What images go through: the network, or its compiled graphs."""
    if not job.config.compile:
        return network
    from trainers.optim.compilation import compiled

    return compiled(network, job.config, device, to_train=to_train, heartbeat=job.heartbeat)


def measure(
    network: nn.Module,
    job: TrainingJob,
    evaluation: EvaluationConfig | None,
    images: LabelledImages,
    group: Group | None = None,
) -> Measurement:
    """Of these images, clean for None, and then with top-5 accuracy where the dataset has it.

    The processes of a group share the images.
    """
    facts = job.config.dataset_facts
    return evaluate_images(
        network,
        images,
        facts.mean,
        facts.std,
        evaluation,
        device=torch.device(job.device),
        precision=job.config.precision,
        top5=evaluation is None and facts.has_top5,
        heartbeat=job.heartbeat,
        group=group,
    )


def evaluation_result(
    evaluation: EvaluationConfig, measured: Measurement | None
) -> EvaluationResult:
    """As stored; None for a network that has diverged, of which nothing can be measured."""
    return {
        "evaluation_id": evaluation.evaluation_id,
        "name": evaluation.name,
        "kind": evaluation.kind,
        "level": evaluation.level,
        "config": evaluation.config,
        "accuracy": None if measured is None else measured.accuracy,
        "loss": None if measured is None else finite(measured.loss),
    }


def finite(value: float | None) -> float | None:
    """The value, or None for one that JSON has no word for."""
    return value if value is not None and math.isfinite(value) else None
