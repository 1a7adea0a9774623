"""Where a run trains: a device, or a share of it."""

from __future__ import annotations

from dataclasses import dataclass

from sweeper.planning.devices import CPU_CORE, USUAL_GPU, Device
from sweeper.spec.resources import Resources, gpus_of_slots, slots_of_gpu


@dataclass(frozen=True)
class Slot:
    """What each process of a run has of the device that it trains on.

    Attributes:
        device: of which there are enough.
        devices: how many a process has: a fraction, or of CPU cores some.
    """

    device: Device
    devices: float

    @classmethod
    def of(cls, resources: Resources, gpu: Device = USUAL_GPU) -> Slot:
        """Of a run with these resources, on this GPU if it asks for one."""
        if resources.gpus:
            return cls(gpu, resources.gpus)
        return cls(CPU_CORE, resources.cpus)

    @property
    def on_cpu(self) -> bool:
        """Whether it is some cores of a CPU."""
        return self.device is CPU_CORE

    @property
    def neighbours(self) -> int:
        """Processes that the device is shared by, itself counted."""
        return 1 if self.on_cpu else slots_of_gpu(self.devices)

    @property
    def memory(self) -> float | None:
        """Bytes that are its share; None where these are not the device's to say."""
        memory = self.device.memory
        return None if memory is None else memory * self.devices

    @property
    def largest_multiplier(self) -> int:
        """How many slots are a whole device."""
        return self.neighbours

    def times(self, multiplier: int) -> Slot:
        """So many slots as one; of cores of a CPU there is one slot."""
        return Slot(self.device, gpus_of_slots(self.devices, multiplier))
