"""What somebody's own trainer reported and returned, as a run's result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sweep_plugins.metric_name import MOST_METRICS, NAMES_OF_EVERY_RUN
from trainers.config.job import ResultWithMetrics
from trainers.errors import ResultError, TrainerError, TrainingStopped
from trainers.own.declaration import Declaration
from trainers.own.job import Job
from trainers.own.reported import OF_EPOCH, OF_RESULT, Values, number_of

_MAY_BE_MISSING = frozenset({"probes", "blocks", "first_epoch"})
_OF_THE_BUILT_IN = ResultWithMetrics.__annotations__.keys() - OF_RESULT
_OF_EVERY_RUN = OF_RESULT | set(OF_EPOCH)
_AT_THE_END = ("test_accuracy", "train_accuracy", "test_loss", "train_loss")


def result_of(job: Job, said: Declaration, returned: Any, seconds: float) -> dict[str, Any]:
    """The result of a job that took so many seconds, from what its trainer returned.

    A name that every run has, such as test_accuracy, goes where the built-in trainer's goes; the
    others are metrics of the trainer's own. What it neither reported nor returned is null.

    Raises:
        TrainingStopped: the trainer returned since it was told to stop.
        ResultError: it returned something else than None or a dict, or what is no number.
    """
    if job.told_to_stop:
        raise TrainingStopped
    if returned is not None and not isinstance(returned, Mapping):
        raise ResultError(
            f"the trainer returned {type(returned).__name__}, where None or a dict is expected: of"
            " numbers by name, or a TrainingResult"
        )
    given = dict(returned or {})
    by_name = _of_the_built_in(given)
    for name in _AT_THE_END:
        if given.get(name) is not None:
            given[name] = _returned(name, given[name])
    last: Values = {}
    for epoch in sorted(job.reported):
        last |= job.reported[epoch]
    metrics = {name: value for name, value in last.items() if name not in _OF_EVERY_RUN}
    for name, value in [*by_name.get("metrics", {}).items(), *given.items()]:
        if name not in OF_RESULT:
            metrics[name] = _returned(name, value)
    if len(metrics) > MOST_METRICS:
        raise ResultError(
            f"the trainer has {len(metrics):,} metrics, where a run may have {MOST_METRICS:,}"
        )
    epochs = _epochs(job.reported)
    result: dict[str, Any] = dict.fromkeys(OF_RESULT - _MAY_BE_MISSING)
    result |= {"diverged": False, "train_seconds": seconds, "epochs": epochs, "evaluations": []}
    result |= {name: last[name] for name in _AT_THE_END if name in last}
    result |= _best(epochs)
    result |= {"first_epoch": job.first_epoch}
    result |= {name: value for name, value in given.items() if name in OF_RESULT}
    if result["generalization_gap"] is None:
        result["generalization_gap"] = _gap(result["train_accuracy"], result["test_accuracy"])
    history = {row["epoch"]: row["values"] for row in by_name.get("epoch_metrics", ())}
    for epoch in job.reported:
        if values := {n: v for n, v in job.reported[epoch].items() if n not in OF_EPOCH}:
            history[epoch] = history.get(epoch, {}) | values
    known = by_name.get("metric_definitions", {}) | said.metrics_as_json()
    return result | {
        "metrics": metrics,
        "epoch_metrics": [{"epoch": epoch, "values": history[epoch]} for epoch in sorted(history)],
        "metric_definitions": {name: known[name] for name in known if name in metrics},
        "images_left_out": by_name.get("images_left_out", []),
    }


def _of_the_built_in(given: dict[str, Any]) -> dict[str, Any]:
    """Takes out what the built-in trainer, if this is its result, has beside what all may have."""
    if not isinstance(given.get("images_left_out"), list):
        return {}
    return {key: given.pop(key) for key in _OF_THE_BUILT_IN if key in given}


def _returned(name: Any, value: Any) -> float | None:
    if name in NAMES_OF_EVERY_RUN:
        raise ResultError(
            f"the trainer returned {name}, which is something else that every run has: give the"
            " metric another name"
        )
    try:
        return number_of(name, value)
    except TrainerError as error:
        raise ResultError(f"the trainer returned what is no result: {error}") from error


def _epochs(reported: Mapping[int, Values]) -> list[dict[str, Any]]:
    """The epochs at which something was reported that every trainer may have."""
    rows = []
    for epoch in sorted(reported):
        typed = {name: reported[epoch][name] for name in OF_EPOCH if name in reported[epoch]}
        if typed:
            rows.append({"epoch": epoch, **dict.fromkeys(OF_EPOCH), **typed})
    return rows


def _best(epochs: list[dict[str, Any]]) -> dict[str, Any]:
    """The best test accuracy, and the first epoch that had it."""
    tested = [row for row in epochs if row["test_accuracy"] is not None]
    if not tested:
        return {}
    best = max(tested, key=lambda row: (row["test_accuracy"], -row["epoch"]))
    return {"best_test_accuracy": best["test_accuracy"], "best_epoch": best["epoch"]}


def _gap(train: Any, test: Any) -> float | None:
    numbers = isinstance(train, int | float) and isinstance(test, int | float)
    return train - test if numbers else None
