"""What a trainer may report: which numbers, under which names, and at which epochs."""

from __future__ import annotations

import math
from typing import Any

from sweep_plugins.metric_name import (
    LARGEST_EPOCH,
    LARGEST_NUMBER,
    NAMES_OF_EVERY_RUN,
    why_no_metric,
)
from sweep_plugins.plain_text import shortened
from trainers.config.job import EpochMetrics, TrainingResult
from trainers.errors import TrainerError

Values = dict[str, float | None]
"""Numbers by name; None: not finite."""

OF_EPOCH = tuple(key for key in EpochMetrics.__annotations__ if key != "epoch")
"""What every trainer may report at an epoch, in a place of its own."""

_LAST_EPOCH = 2**31 - 1
"""At which there can be one of these."""

OF_RESULT = frozenset(TrainingResult.__annotations__)
"""What every trainer may return, in a place of its own."""

OF_ANOTHER = "that is something else that every run has"
"""How a name is refused that can be neither reported nor returned."""

NOT_AT_EPOCHS = NAMES_OF_EVERY_RUN | (OF_RESULT - set(OF_EPOCH))
"""Names that no metric at an epoch can have."""


def number_of(name: str, value: Any) -> float | None:
    """The number that was reported under this name; None if it is not finite.

    Raises TrainerError for a name that no metric can have, or what is no number.
    """
    if (why_not := why_no_metric(name)) is not None:
        raise TrainerError(f"a metric cannot be called {name!r:.120}: {why_not}")
    try:
        if isinstance(value, str | bytes | bool):
            raise TypeError
        number = float(value)
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError, RuntimeError):
        raise TrainerError(
            f"the metric {name} is {shortened(repr(value), 80)}, where a number is expected"
        ) from None
    if not math.isfinite(number):
        return None
    if abs(number) > LARGEST_NUMBER:
        raise TrainerError(f"the metric {name} is {number:g}, beyond {LARGEST_NUMBER:g}")
    return number


def require_storable(epoch: int, name: str, value: float | None) -> None:
    """Raises TrainerError for what every run has and this one cannot, before it trains in vain."""
    if not 1 <= epoch <= _LAST_EPOCH:
        raise TrainerError(
            f"{name} was reported for epoch {epoch}: epochs count from 1 to {_LAST_EPOCH:,}, but"
            " for metrics of your own"
        )
    if value is None:
        return
    if name.endswith("_accuracy") and not 0 <= value <= 100:
        raise TrainerError(f"{name} is {value:g}, where percent from 0 to 100 are expected")
    if name == "seconds" and value < 0:
        raise TrainerError(f"{name} is {value:g}, where at least 0 is expected")


def epoch_number(value: Any, call: str, which: str) -> int:
    """The epoch as a plain number. Raises TrainerError for what is none."""
    try:
        # Of numpy's and torch's numbers, too.
        if not isinstance(value, bool) and int(value) == value and 0 <= value <= LARGEST_EPOCH:
            return int(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        pass
    raise TrainerError(f"{call}: the epoch is a whole number from 0 to {LARGEST_EPOCH:,}: {which}")
