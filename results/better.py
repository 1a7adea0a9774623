"""Which way each metric gets better."""

from __future__ import annotations

from typing import Literal

from results.metrics import is_evaluation

_HIGHER = ("test_accuracy", "best_test_accuracy", "train_accuracy", "images_per_second")
_LOWER = ("generalization_gap", "train_seconds", "train_loss", "test_loss")


def better(metric: str) -> Literal["higher", "lower"] | None:
    """Accuracies, also those of evaluations, and rates should be high, gaps, losses and times low.

    None for what is neither good nor bad, such as a seed or a value of the config.
    """
    if metric in _HIGHER or is_evaluation(metric):
        return "higher"
    return "lower" if metric in _LOWER else None
