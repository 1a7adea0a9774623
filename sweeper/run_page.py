"""One run in full, as text for a terminal."""

from __future__ import annotations

import json
from typing import Any

from trainers.exact import format_number


def run_page(detail: dict[str, Any]) -> str:
    """Everything that `sweep show` says, section by section.

    Args:
        detail: as of `Queries.run_detail`.
    """
    sections = [
        _facts(detail),
        _config(detail),
        _epochs(detail["epoch_history"]),
        _evaluations(detail["evaluations"]),
        *(_attempt(attempt) for attempt in detail["attempt_history"]),
        *(_spec(spec) for spec in detail["sweep_specs"]),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


_FACTS = (
    "state", "error", "model", "scheme", "depth", "dataset", "seed", "root_moduli",
    "zero_stable", "consistent", "order", "parameters", "epochs", "test_accuracy",
    "best_test_accuracy", "best_epoch", "train_accuracy", "generalization_gap", "diverged",
    "diverged_epoch", "train_seconds", "images_per_second", "learned_coefficients",
    "weights_sha256", "created_at", "finished_at",
)  # fmt: skip


def _facts(detail: dict[str, Any]) -> str:
    lines = [f"run {detail['run_id']} in {', '.join(detail['sweeps']) or 'no sweep'}"]
    for key in _FACTS:
        if detail[key] is not None:
            lines.append(f"  {key:<20} {_shown(detail[key])}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(
            f"({_shown(item)})" if isinstance(item, list) else format_number(round(item, 6))
            for item in value
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _config(detail: dict[str, Any]) -> str:
    text = json.dumps(detail["config"], indent=2, ensure_ascii=False)
    return "config (its hash is the run id)\n" + _indented(text)


def _epochs(history: list[dict[str, Any]]) -> str:
    if not history:
        return ""
    keys = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate")
    head = "epoch " + " ".join(f"{key:>14}" for key in keys)
    lines = [
        f"{epoch['epoch']:>5} "
        + " ".join(
            f"{'-' if epoch[key] is None else format(epoch[key], '.5g'):>14}" for key in keys
        )
        for epoch in history
    ]
    return "\n".join([head, *lines])


def _evaluations(evaluations: list[dict[str, Any]]) -> str:
    lines = []
    for evaluation in evaluations:
        accuracy = evaluation["accuracy"]
        shown = "not measured" if accuracy is None else format(accuracy, ".2f")
        lines.append(f"  {evaluation['name']:<24} {shown}")
    return "\n".join(["evaluations (accuracy in percent)", *lines]) if lines else ""


def _attempt(attempt: dict[str, Any]) -> str:
    until = attempt["finished_at"] or "now"
    lines = [
        f"attempt {attempt['attempt']}: {attempt['state']}, {attempt['started_at']} to {until}"
    ]
    if (attempt["first_epoch"] or 1) > 1:
        lines.append(f"  went on at epoch {attempt['first_epoch']} from a checkpoint")
    lines += [
        f"  {key:<16} {value}"
        for key, value in (attempt["provenance"] or {}).items()
        if value is not None and key not in ("started_at", "finished_at", "first_epoch")
    ]
    if attempt["error"]:
        lines.append(f"  error: {attempt['error']}")
    if attempt["traceback"]:
        lines.append(_indented(attempt["traceback"].rstrip()))
    return "\n".join(lines)


def _spec(spec: dict[str, Any]) -> str:
    lines = [
        f"sweep {spec['name']} asks for it: version {spec['version']} of its spec, from"
        f" {spec['source']}, {spec['created_at']}"
    ]
    lines += [f"  --set {override}" for override in spec["overrides"]]
    lines.append(_indented(spec["text"].rstrip()))
    return "\n".join(lines)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
