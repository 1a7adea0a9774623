"""What a sweep would run: each run's facts before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results.records import RUN_KEYS, NewEvaluation, NewRun
from sweeper.cost import CostModel
from sweeper.spec import Spec
from trainers.config import RunConfig
from trainers.evaluations import NoiseConfig

NOT_STORED = "new"
"""The state of a run that no database knows yet."""


def new_run(config: RunConfig) -> NewRun:
    """The run as the database keeps it, before it has trained."""
    scheme = config.scheme.fixed
    return NewRun(
        run_id=config.run_id,
        config=config.to_json(),
        model=config.model.name,
        scheme=str(config.scheme),
        depth=config.model.depth,
        dataset=config.dataset.name,
        seed=config.seed,
        alpha=None if config.scheme.alpha is None else list(config.scheme.alpha),
        beta=config.scheme.beta,
        trainable=config.scheme.learned is not None,
        root_moduli=list(scheme.root_moduli) if scheme else None,
        max_root_modulus=scheme.max_root_modulus if scheme else None,
        zero_stable=scheme.zero_stable if scheme else None,
        consistent=scheme.consistent if scheme else None,
        order=scheme.order if scheme else None,
        parameters=config.parameters,
        epochs=config.training.epochs,
    )


def new_evaluation(evaluation: NoiseConfig) -> NewEvaluation:
    """The evaluation as the database keeps it."""
    return NewEvaluation(
        evaluation_id=evaluation.evaluation_id,
        name=evaluation.name,
        kind=evaluation.kind,
        level=evaluation.level,
        config=evaluation.config,
    )


def plan_rows(
    spec: Spec, stored: Mapping[str, Mapping[str, Any]], costs: CostModel
) -> list[dict[str, Any]]:
    """Every run of the spec as JSON: the usual keys, and `estimated_seconds` on one slot.

    Args:
        stored: what the database has, by run id; a run that it lacks is in state "new".
    """
    rows = []
    for config in spec.configs:
        run = new_run(config)
        known = stored.get(run.run_id, {})
        row = {key: known.get(key) for key in RUN_KEYS}
        row |= {key: getattr(run, key) for key in RUN_KEYS if hasattr(run, key)}
        row["sweep"] = spec.name
        row["state"] = known.get("state", NOT_STORED)
        row["attempts"] = known.get("attempts", 0)
        measured = {e["name"]: e["accuracy"] for e in known.get("evaluations", ())}
        row["evaluations"] = [
            {"name": e.name, "kind": e.kind, "level": e.level, "accuracy": measured.get(e.name)}
            for e in spec.evaluations
        ]
        row["estimated_seconds"] = costs.seconds(config, len(spec.evaluations))
        rows.append(row)
    return rows
