"""Specs in a database, as `sweep run` saves them before anything is trained."""

from __future__ import annotations

from typing import Any

from results.records import SweepChange
from sweeper.planning.plan import new_evaluation, new_run
from sweeper.spec.spec import Spec


def save_spec(store: Any, spec: Spec) -> SweepChange:
    """`store` is a Store or what is used in its place."""
    change: SweepChange = store.save_sweep(
        spec.name,
        spec.text,
        spec.source,
        spec.overrides,
        spec.description,
        [new_run(config) for config in spec.configs],
        [new_evaluation(evaluation) for evaluation in spec.evaluations],
        published=spec.published,
    )
    return change
