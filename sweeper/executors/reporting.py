"""What a run reports while it trains, kept in its worker until the driver takes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from trainers.own.reported import Values, number_of

Report = dict[str, Any]
"""What a driver takes at once, as `results.store.report_schema` reads it: `run_id`, `attempt`,
`first` (the epoch from which on it replaces what earlier attempts reported), and `epochs`: a list
of {"epoch": number, "values": {name: number or None}}, oldest first."""

ALL = 1_000_000
"""Values: more than a run can have."""

YOUNG_SECONDS = 1.0
"""A run that takes less costs nothing: neither a longer message nor a transaction."""


class Reporting:
    """The epochs of an attempt that its driver has not taken yet.

    One thread reports, another takes. It holds no more than the trainer itself does, which keeps
    all that it reported for its result. The oldest are taken first, so that what is stored has no
    gaps: where a run reports faster than is taken, it is stored later.
    """

    def __init__(self, run_id: str, attempt: int) -> None:
        self._of = {"run_id": run_id, "attempt": attempt}
        self._mutex = threading.Lock()
        self._began = time.monotonic()
        self._first: int | None = None
        self._waiting: dict[int, Values] = {}

    @property
    def is_young(self) -> bool:
        """Whether it may well be over before anybody looks at it."""
        return time.monotonic() < self._began + YOUNG_SECONDS

    def add(self, epoch: int, values: Values, first: int | None = None) -> None:
        """All values of an epoch, in place of those added before for it.

        `first` is the epoch at which the attempt goes on; None: that of the first that is added.
        The values are not to change afterwards.
        """
        with self._mutex:
            if self._first is None or (first is not None and first != self._first):
                self._first = epoch if first is None else first
                self._waiting.clear()
            self._waiting[epoch] = values

    def add_metrics(self, metrics: Mapping[str, Any]) -> None:
        """An epoch of a trainer that says them all at once; what is none is left to its result."""
        # Whatever a trainer makes of it is in its result, too, and is an error there.
        with suppress(Exception):
            values = {
                name: None if value is None else number_of(name, value)
                for name, value in metrics.items()
                if name != "epoch"
            }
            epoch = metrics["epoch"]
            if type(epoch) is int:
                self.add(epoch, values)

    def take(self, most: int) -> Report | None:
        """The oldest epochs, of at most so many values unless one has more; None if there is none.

        They are the caller's then.
        """
        with self._mutex:
            if not self._waiting or most <= 0:
                return None
            taken: list[dict[str, Any]] = []
            count = 0
            for epoch, values in self._waiting.items():
                count += len(values)
                if taken and count > most:
                    break
                taken.append({"epoch": epoch, "values": values})
            for item in taken:
                del self._waiting[item["epoch"]]
            return {**self._of, "first": self._first, "epochs": taken}
