"""What a sweep would run: each run's facts before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from results.errors import NoDatabaseError
from results.garbage_collection import without_cycle_collection
from results.records import NewEvaluation, NewRun
from results.run_columns import OF_SCHEME, RUN_KEYS
from sweep_plugins.schemes.scheme_label import scheme_label
from sweeper.planning.cost import CostModel, Estimate
from sweeper.planning.gpu_models import Choice, choose_gpu
from sweeper.planning.slot import Slot
from sweeper.planning.varied_settings import varying_settings
from sweeper.planning.work import Work
from sweeper.spec.spec import Spec
from trainers.config.canonical import json_value
from trainers.config.evaluations import EvaluationConfig
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun
from trainers.methods.scheme_config import SchemeConfig

NOT_STORED = "new"
"""The state of a run that no database knows yet."""

_NOT_MEASURED: dict[str, Any] = {"accuracy": None, "imported": False}


def new_run(config: TrainerRun) -> NewRun:
    """The run as the database keeps it, before it has trained."""
    return NewRun(config=config.shared_json(), **_facts(config))


def _facts(config: TrainerRun) -> dict[str, Any]:
    """What is known of a run without training it; the keys of NewRun but for `config`."""
    facts = {
        "run_id": config.run_id,
        "dataset": None if config.dataset is None else config.dataset.label,
        "seed": config.seed,
        "epochs": None if config.training is None else config.training.epochs,
    }
    if not isinstance(config, RunConfig):
        return dict.fromkeys(_OF_NETWORK) | facts
    return facts | {
        "model": config.model.name,
        "depth": config.model.depth,
        "parameters": config.parameters,
        **facts_of_scheme(config.scheme),
    }


_OF_NETWORK = ("model", "scheme", "depth", "trainable", "parameters", *(c.name for c in OF_SCHEME))


@lru_cache(maxsize=1 << 16)
def facts_of_scheme(config: SchemeConfig | None) -> dict[str, Any]:
    """The label of a scheme, its coefficients, and what follows from them; the keys of NewRun."""
    if config is None:
        return {"scheme": "none", "trainable": False} | dict.fromkeys(c.name for c in OF_SCHEME)
    scheme = config.fixed
    moduli = scheme.known_moduli if scheme else None
    return {
        "scheme": scheme_label(json_value(config)),
        "alpha": None if config.floats is None else list(config.floats[:-1]),
        "beta": None if config.floats is None else config.floats[-1],
        "trainable": config.learned is not None,
        "root_moduli": moduli,
        "max_root_modulus": moduli[0] if moduli else None,
        "zero_stable": scheme.zero_stable if scheme else None,
        "consistent": scheme.consistent if scheme else None,
        "order": scheme.order if scheme else None,
    }


def new_runs(configs: Iterable[TrainerRun]) -> list[NewRun]:
    """`new_run` of each, quickly enough for a hundred thousand."""
    with without_cycle_collection():
        return [new_run(config) for config in configs]


def new_evaluation(evaluation: EvaluationConfig) -> NewEvaluation:
    """The evaluation as the database keeps it."""
    return NewEvaluation(
        evaluation_id=evaluation.evaluation_id,
        name=evaluation.name,
        kind=evaluation.kind,
        level=evaluation.level,
        config=evaluation.config,
    )


@dataclass(frozen=True)
class Plan:
    """What a spec would run.

    Attributes:
        rows: as `plan_rows` has them.
        work: of the runs that are neither done nor failed.
    """

    rows: list[dict[str, Any]]
    work: Work


def planned(
    spec: Spec, database: str, device: str | None = None, gpu_models: Sequence[str] = ()
) -> Plan:
    """The plan against this database, which need not exist yet.

    Args:
        device: the GPU to plan for; None for what is there.
        gpu_models: that are there.

    Raises RequestError for a GPU that nothing is known of.
    """
    from results.queries.queries import Queries

    samples, stored = [], {}
    try:
        with Queries.open(database) as queries:
            samples = queries.cost_samples()
            ids = [config.run_id for config in spec.configs]
            stored = {row["run_id"]: row for row in queries.run_rows(run_ids=ids)}
    except NoDatabaseError:
        pass  # nothing has run yet
    gpu = choose_gpu(device, gpu_models, samples) if spec.resources.gpus else None
    slot = Slot.of(spec.resources) if gpu is None else Slot.of(spec.resources, gpu.device)
    costs = CostModel.from_samples(samples, slot)
    rows = plan_rows(spec, stored, costs)
    return Plan(rows, work_of(spec, costs, gpu, _unfinished(spec, rows)))


def work_of(
    spec: Spec, costs: CostModel, gpu: Choice | None, configs: Iterable[TrainerRun]
) -> Work:
    """Of these runs of the spec."""
    passes = _passes(spec)
    return Work(costs.slot, gpu, [(config, costs.estimate(config, passes)) for config in configs])


def _unfinished(spec: Spec, rows: Sequence[Mapping[str, Any]]) -> list[TrainerRun]:
    return [
        config
        for config, row in zip(spec.configs, rows, strict=True)
        if row["state"] not in ("done", "failed")
    ]


def _passes(spec: Spec) -> int:
    return sum(evaluation.passes for evaluation in spec.evaluations)


ESTIMATED_KEYS = (
    "estimated_seconds", "estimated_low_seconds", "estimated_high_seconds", "estimated_from",
    "device", "device_hours", "starting_multiplier", "memory_bytes",
)  # fmt: skip
"""Keys of a plan's row that no run has; all but `device` are null for another's trainer."""


def plan_rows(
    spec: Spec, stored: Mapping[str, Mapping[str, Any]], costs: CostModel
) -> list[dict[str, Any]]:
    """Every run of the spec as JSON: the usual keys, ESTIMATED_KEYS, `settings`.

    The last has what else varies among these runs, by path (see `varying_settings`).

    Args:
        stored: what the database has, by run id; a run that it lacks is in state "new".
    """
    unknown = dict.fromkeys(RUN_KEYS)
    asked = [{"name": e.name, "kind": e.kind, "level": e.level} for e in spec.evaluations]
    passes = _passes(spec)
    rows = []
    for config, settings in zip(spec.configs, varying_settings(spec.configs), strict=True):
        facts = _facts(config)
        known = stored.get(facts["run_id"], {})
        row = unknown | {key: value for key, value in facts.items() if key in unknown}
        row |= {key: known[key] for key in unknown.keys() & known.keys() - facts.keys()}
        row["metrics"] = known.get("metrics", [])
        row["tags"] = known.get("tags", [])
        row["sweep"] = spec.name
        row["state"] = known.get("state", NOT_STORED)
        row["attempts"] = known.get("attempts", 0)
        row["imported"] = known.get("imported", False)
        measured = {e["name"]: e for e in known.get("evaluations", ())}
        row["evaluations"] = [
            {**e, **{key: measured.get(e["name"], _NOT_MEASURED)[key] for key in _NOT_MEASURED}}
            for e in asked
        ]
        estimate = costs.estimate(config, passes)
        row |= zip(ESTIMATED_KEYS, _estimated(estimate, costs.slot.device.name), strict=True)
        row["settings"] = settings
        rows.append(row)
    return rows


def _estimated(estimate: Estimate | None, device: str) -> tuple[Any, ...]:
    if estimate is None:
        return (None, None, None, None, device, None, None, None)
    seconds, memory = estimate.seconds, estimate.memory
    return (
        seconds.usual,
        seconds.low,
        seconds.high,
        estimate.basis,
        device,
        estimate.device_hours,
        estimate.multiplier,
        None if memory is None else memory.total,
    )
