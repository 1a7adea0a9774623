"""Values rounded for reading, as every table shows them."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, Literal

from results.json_values import finite

_COUNTS = ("parameters", "depth", "epochs", "attempts", "order", "seed")
_TWO_DECIMALS = ("max_root_modulus", "root_moduli", "generalization_gap")


def shown(name: str, value: Any) -> str | None:
    """A value of the column `name`; None if it is null.

    Accuracies, gaps and root moduli have two decimals, other numbers six digits.
    """
    value = finite(value)
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(shown(name, item) or "-" for item in value)
    if isinstance(value, dict):
        return readable(json.dumps(value, ensure_ascii=False))
    if isinstance(value, float):
        if name in _TWO_DECIMALS or "accuracy" in name or is_evaluation(name):
            return f"{value:z.2f}"
        return f"{value:z.6g}" if abs(value) < 1e6 else f"{value:.1f}"
    return readable(str(value))


def mean_shown(metric: str, mean: float) -> str:
    """A finite mean: two decimals, four digits for config paths, whole counts without any."""
    if metric in _COUNTS and mean == int(mean):
        return str(int(mean))
    if "." in metric and not is_evaluation(metric):
        return f"{mean:z.4g}"
    return f"{mean:z.2f}"


def spread_shown(metric: str, mean: float | None, std: float | None) -> str | None:
    """ "mean ± std", or only the mean if there is no spread to show; None without a mean."""
    mean, std = finite(mean), finite(std)
    if mean is None:
        return None
    text = mean_shown(metric, mean)
    if std is None or (std == 0 and metric in _COUNTS):
        return text
    return f"{text} ± {mean_shown(metric, std)}"


def is_evaluation(name: str) -> bool:
    """Whether a column's name is that of an evaluation with its levels, "gaussian[0.3]"."""
    return "[" in name


def readable(text: str) -> str:
    """`text` on one line, with escapes for characters that a reader would not see.

    So a name from the database can neither break a table nor steer a terminal.
    """
    return visible(text if text.isprintable() and "  " not in text else " ".join(text.split()))


def visible(text: str) -> str:
    """`text` with escapes for control characters; tabs and line ends stay."""
    if text.isprintable():
        return text
    return "".join(
        ascii(c)[1:-1] if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" else c
        for c in text
    )


_HIGHER = ("test_accuracy", "best_test_accuracy", "train_accuracy", "images_per_second")


_LOWER = ("generalization_gap", "train_seconds", "train_loss", "test_loss")


def better(metric: str) -> Literal["higher", "lower"] | None:
    """Accuracies, also those of evaluations, and rates should be high, gaps, losses and times low.

    None for what is neither good nor bad, such as a seed or a value of the config.
    """
    if metric in _HIGHER or is_evaluation(metric):
        return "higher"
    return "lower" if metric in _LOWER else None
