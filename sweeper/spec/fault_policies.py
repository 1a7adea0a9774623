"""What goes wrong with a run, by kind, and what is done about each: the `faults` of a spec."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainers.config.frozen import Frozen
from trainers.methods.fractions import Number, Whole

Fault = Literal["trainer_error", "out_of_memory", "worker_lost", "hung"]
"""Faults that count against a run. A driver that ends, or unreachable storage, does not."""

MOST_SECONDS = 30 * 24 * 3600.0


class Attempts(Frozen):
    """How often a run may meet a fault before it fails: 1 is at the first time."""

    attempts: Whole = Field(ge=1, le=1000)


class TrainerError(Attempts):
    """The trainer raised. The same seed raises again, so there is no second attempt."""

    attempts: Whole = Field(default=1, ge=1, le=1000)


class OutOfMemory(Attempts):
    """The device had no memory left. Each retry has twice the resources, the last one is alone.

    Such a run waits until the others need no slots any more.
    """

    attempts: Whole = Field(default=4, ge=1, le=1000)


class WorkerLost(Attempts):
    """Its process or node vanished. It continues from its checkpoint, elsewhere if possible."""

    attempts: Whole = Field(default=3, ge=1, le=1000)


class Hung(Attempts):
    """No heartbeat for this many seconds: it is killed and retried as if lost."""

    attempts: Whole = Field(default=3, ge=1, le=1000)
    # Heartbeats are read every two seconds.
    seconds: Number = Field(default=1800.0, ge=10, le=MOST_SECONDS)


class Unreachable(Frozen):
    """Storage or database cannot be reached: for how many seconds operations are tried again.

    No run fails by it.
    """

    seconds: Number = Field(default=3600.0, ge=0, le=MOST_SECONDS)


class FaultPolicies(Frozen):
    """The `faults` of a spec; never part of a run's identity."""

    trainer_error: TrainerError = TrainerError()
    out_of_memory: OutOfMemory = OutOfMemory()
    worker_lost: WorkerLost = WorkerLost()
    hung: Hung = Hung()
    unreachable: Unreachable = Unreachable()

    def attempts(self, fault: Fault) -> int:
        """How often a run may meet this fault before it fails."""
        policy: Attempts = getattr(self, fault)
        return policy.attempts
