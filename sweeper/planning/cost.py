"""The expected cost of runs, from the times of finished ones and what is known of devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from results.records import CostSample
from sweeper.planning.devices import CPU_CORE, Device, known
from sweeper.planning.memory import Memory, memory_of
from sweeper.planning.slot import Slot
from sweeper.planning.step_time import Seconds, run_seconds, training_seconds
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun
from trainers.errors import TrainerError

_SLOWEST = 1e-6
"""Images a second. What is slower was never measured, and its time would be endless."""

Kind = tuple[object, ...]
"""What runs have in common whose times are averaged together."""

FROM_FIGURES = "figures of the device"

_OFF = {"runs of this network": 1.25, "similar runs": 1.5, "other runs": 1.8}
"""By how much a time may be more or less that finished runs show."""

_ELSEWHERE = 2.0
"""The same of runs on another device."""

_CPU_SLOT = Slot(CPU_CORE, 1)


@dataclass(frozen=True)
class Estimate:
    """What one run is expected to take.

    Attributes:
        seconds: on its slot.
        device_hours: hours times devices: GPUs, or cores of CPUs.
        basis: what it was estimated from.
        multiplier: how many slots it begins with.
        memory: of each process; None if it is not known.
    """

    seconds: Seconds
    device_hours: float
    basis: str
    multiplier: int
    memory: Memory | None


class CostModel:
    """What runs take on slots of one kind.

    Their work and the device's figures give a time; finished runs correct it, by how many times
    longer than that the most similar of them took. Similar means, in this order of preference:
    the same model, depth, dataset, precision and compile; the same but for the model and depth; any
    finished run. Each first on a device of the same name, then on any that is a CPU or GPU alike.

    Args:
        timed: finished runs of each kind, with the slot that they trained on and their images a
            second.
        slot: that runs get.
    """

    def __init__(
        self,
        timed: Mapping[Kind, Sequence[tuple[RunConfig, Slot, float]]],
        slot: Slot = _CPU_SLOT,
    ) -> None:
        self._timed = timed
        self._factors: dict[Kind, float | None] = {}
        self._known: dict[Kind, tuple[RunConfig, Estimate]] = {}
        self.slot = slot

    @classmethod
    def from_samples(cls, samples: Sequence[CostSample], slot: Slot = _CPU_SLOT) -> CostModel:
        """Learns from those of a CPU for a slot on a CPU, and from those of GPUs for one of GPUs.

        How many runs shared a device then is not known: as many as will, it is assumed.
        """
        timed: dict[Kind, list[tuple[RunConfig, Slot, float]]] = {}
        for sample in samples:
            speed = sample.images_per_second or 0.0
            on_cpu = not (sample.device or "cpu").startswith("cuda")
            if on_cpu != slot.on_cpu or speed < _SLOWEST:
                continue
            try:
                config = RunConfig.model_validate(sample.config)
            except ValueError:
                continue  # of another version, or of a plug-in that is not installed now
            device = slot.device if on_cpu else _device_of(sample, slot.device)
            there = Slot(device, slot.devices)
            for kind in _kinds(config):
                timed.setdefault((device.name, *kind), []).append((config, there, speed))
                timed.setdefault((None, *kind), []).append((config, there, speed))
        return cls(timed, slot)

    def move(self, slot: Slot) -> None:
        """From now on runs get this slot."""
        self.slot = slot
        self._known.clear()

    def estimate(self, config: TrainerRun, passes: int) -> Estimate | None:
        """Of training, the tests on the way, and `passes` over the test images to evaluate.

        None for a trainer whose work cannot be counted in images.
        """
        if not isinstance(config, RunConfig):
            return None
        # Runs share their parts; a hundred thousand have few that differ, even as objects.
        parts = (config.model, config.dataset, config.training, config.counts)
        key = (*map(id, parts), config.precision, config.compile, passes)
        if key not in self._known:
            self._known[key] = (config, self._estimate(config, passes))
        return self._known[key][1]

    def seconds(self, config: TrainerRun, passes: int) -> float | None:
        """What `estimate` expects."""
        found = self.estimate(config, passes)
        return None if found is None else found.seconds.usual

    def _estimate(self, config: RunConfig, passes: int) -> Estimate:
        memory = memory_of(config, "cpu" if self.slot.on_cpu else "cuda")
        multiplier = starting_multiplier(memory, self.slot)
        slot = self.slot.times(multiplier)
        seconds, basis = run_seconds(config, slot, passes), FROM_FIGURES
        for device in (slot.device.name, None):
            kinds = zip(_OFF, _kinds(config), strict=True)
            found = ((near, self._factor((device, *kind))) for near, kind in kinds)
            near, factor = next(((n, f) for n, f in found if f is not None), ("", None))
            if factor is not None:
                off = _OFF[near] * (_ELSEWHERE if device is None else 1)
                usual = seconds.usual * factor
                seconds = Seconds(usual / off, usual, usual * off)
                where = "other devices" if device is None else device
                basis = f"{near} on {where}"
                break
        hours = seconds.usual * slot.devices * config.training.processes / 3600
        return Estimate(seconds, hours, basis, multiplier, memory)

    def _factor(self, kind: Kind) -> float | None:
        """How many times as long as expected runs of this kind took; None if nobody knows."""
        if kind not in self._factors:
            factors = []
            for config, slot, images_per_second in self._timed.get(kind, ()):
                # A plug-in's network may be none that can be built now.
                with suppress(TrainerError):
                    expected = training_seconds(config, slot).usual
                    if expected > 0:
                        factors.append(config.train_images / images_per_second / expected)
            self._factors[kind] = median(factors) if factors else None
        return self._factors[kind]


def starting_multiplier(memory: Memory | None, slot: Slot) -> int:
    """How many slots a run begins with: as many as make its memory, up to a whole device."""
    if memory is None or slot.memory is None:
        return 1
    enough = -(-memory.total // int(slot.memory))
    return min(enough, slot.largest_multiplier)


def _device_of(sample: CostSample, usual: Device) -> Device:
    name = sample.device_name or ""
    return known(name) or usual.like(name)


def _kinds(config: RunConfig) -> tuple[Kind, ...]:
    setting = (config.dataset.label, config.precision, config.compile)
    return ((config.model.name, config.model.depth, *setting), setting, ())
