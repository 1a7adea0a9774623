"""Measures the probes of a run when it is time to, as rows of its result."""

from __future__ import annotations

import math
import pkgutil

from trainers.config.job import ProbeValue
from trainers.config.probes import PROBES, ProbeConfig
from trainers.errors import TrainerError
from trainers.probes.subject import Meter, Subject


class Probing:
    """The probes of one run, each set up when it is first measured."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._meters: dict[str, Meter] = {}

    def measure(self, epoch: int, *, last: bool) -> list[ProbeValue]:
        """What is measured after this epoch (0: before training), in the order of the config.

        Args:
            last: training ends with this epoch.

        Raises:
            TrainerError: a probe measured one quantity of one layer twice.
        """
        rows: list[ProbeValue] = []
        for probe in self._subject.config.probes or ():
            if probe.is_measured(epoch, last=last):
                rows += self._rows(probe, epoch)
        return rows

    def _rows(self, probe: ProbeConfig, epoch: int) -> list[ProbeValue]:
        if probe.probe not in self._meters:
            self._subject.heartbeat()
            meter = pkgutil.resolve_name(PROBES[probe.probe].meter)
            self._meters[probe.probe] = meter(probe, self._subject)
        values = list(self._meters[probe.probe](epoch))
        if len({(value.quantity, value.layer) for value in values}) < len(values):
            raise TrainerError(f"probe {probe.probe} measured a quantity of one layer twice")
        return [
            {
                "probe": probe.probe,
                "quantity": value.quantity,
                "epoch": epoch,
                "layer": value.layer,
                "value": value.value if math.isfinite(value.value) else None,
            }
            for value in values
        ]
