"""The coefficients that each block learns: alpha_0, ..., beta; in Newton-ResNet alpha (eq. 3)."""

from __future__ import annotations

from collections.abc import Iterator

from trainers.config.probes import LearnedCoefficients
from trainers.models.coefficients import learned_values
from trainers.probes.subject import Meter, Subject, Value


def meter(config: LearnedCoefficients, subject: Subject) -> Meter:
    """Reads them off the network's blocks."""

    def measure(epoch: int) -> Iterator[Value]:
        for block, values in learned_values(subject.network).items():
            for quantity, value in values.items():
                yield Value(quantity, f"block{block}", value)

    return measure
