"""Trainers whose results hold values of probes and blocks, as a spec's `trainer` can name them.

They do no mathematics; the shapes are those of real networks.
"""

from __future__ import annotations

import math

import fake_trainers
from trainers.config.job import BlockScheme, ProbeValue, TrainingJob, TrainingResult
from trainers.config.probes import Runtime


def probing(job: TrainingJob) -> TrainingResult:
    """Principal angles by epoch, feature norms by block; norms grow if the scheme is unstable."""
    result = fake_trainers.quick(job)
    scheme = job.config.scheme
    modulus = 1.0 if scheme is None or scheme.fixed is None else scheme.fixed.max_root_modulus
    seed = job.config.seed
    probes: list[ProbeValue] = [
        {
            "probe": "principal_angles",
            "quantity": quantity,
            "epoch": epoch,
            "layer": "",
            "value": start + (end - start) * (1 - math.exp(-epoch / 2)) + 0.5 * seed,
        }
        for epoch in range(job.config.training.epochs + 1)
        for quantity, start, end in (("within", 40.0, 12.0 * modulus), ("between", 45.0, 80.0))
    ]
    probes += [
        {
            "probe": "feature_norms",
            "quantity": "norm",
            "epoch": epoch,
            "layer": f"block{block}",
            "value": (10.0 + seed) * modulus**block,
        }
        for epoch in (0, job.config.training.epochs)
        for block in range(1, 16)
    ]
    probes.append(
        {
            "probe": "runtime",
            "quantity": "train_seconds[128]",
            "epoch": 0,
            "layer": "",
            "value": None,
        }
    )
    return {**result, "probes": probes, "blocks": None}


def learning(job: TrainingJob) -> TrainingResult:
    """Two blocks, one zero stable and one that is not finite any more."""
    blocks: list[BlockScheme] = [
        {
            "block": 1,
            "alpha": [0.75, 0.25],
            "beta": 1.0,
            "root_moduli": [1.0, 0.25],
            "max_root_modulus": 1.0,
            "zero_stable": True,
            "consistent": False,
            "order": 0,
        },
        {
            "block": 2,
            "alpha": [None, 0.5],
            "beta": None,
            "root_moduli": None,
            "max_root_modulus": None,
            "zero_stable": None,
            "consistent": None,
            "order": None,
        },
    ]
    return {**fake_trainers.quick(job), "blocks": blocks}


def repeating(job: TrainingJob) -> TrainingResult:
    """One value twice."""
    result = probing(job)
    result["probes"] *= 2
    return result


def timed(job: TrainingJob) -> TrainingResult:
    """The probe `runtime` as its config asks for it; zerosnet takes 1.25 times as long."""
    factor = {"preresnet": 1.0, "zerosnet": 1.25}[job.config.model.name]
    probes: list[ProbeValue] = [
        {
            "probe": "runtime",
            "quantity": f"{part}_seconds[{size}]",
            "epoch": job.config.training.epochs,
            "layer": "",
            "value": factor * seconds * (1 + 1 / size),
        }
        for probe in job.config.probes or ()
        if isinstance(probe, Runtime)
        for size in probe.batch_sizes
        for part, seconds in (("train", 16.0), ("test", 2.0))
    ]
    return {**fake_trainers.quick(job), "probes": probes}
