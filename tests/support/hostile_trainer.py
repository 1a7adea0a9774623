"""A trainer that is against its driver, in another way for each seed."""

from __future__ import annotations

import random
from copy import copy
from typing import Any

from fake_trainers import quick
from hostile_values import mutated, text
from trainers.config.job import TrainingJob


def hostile(job: TrainingJob) -> Any:
    """Raises, or returns nonsense, or a result that is right and has hostile names in it."""
    rng = random.Random(job.config.seed)
    # Its accuracy is 50 and the seed.
    first = copy(job)
    vars(first)["config"] = job.config.model_copy(update={"seed": 0})
    result: Any = quick(first)
    result["learned_coefficients"] = [[1.0, None]]
    result["probes"] = [
        {"probe": "p", "quantity": "q", "epoch": 1, "layer": "", "value": 0.5},
        {"probe": "p", "quantity": "q", "epoch": 1, "layer": "block1", "value": None},
    ]
    match job.config.seed % 4:
        case 0 | 1:
            return mutated(rng, result)
        case 2:
            bases = (Exception, ValueError, SystemExit, KeyboardInterrupt, GeneratorExit)
            name = text(rng).replace("\0", "").encode("utf-8", "ignore").decode() or "E"
            raise type(name, (rng.choice(bases),), {})(text(rng))
    names = {"probe": text(rng) or "p", "quantity": text(rng) or "q", "layer": text(rng)}
    result["probes"].append({"epoch": 2, "value": 1e75, **{k: v[:900] for k, v in names.items()}})
    result["weights_sha256"] = text(rng)[:900]
    for evaluation in result["evaluations"]:
        evaluation["name"], evaluation["kind"] = text(rng)[:900], text(rng)[:900]
        evaluation["level"] = rng.choice((None, -1e75, 0.5))
        evaluation["config"] = {text(rng): [text(rng)]}
        evaluation["accuracy"], evaluation["loss"] = rng.choice((None, 0.0, 100.0)), 1e75
    return result
