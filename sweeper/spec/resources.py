"""What one run needs of a machine, or each of its processes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from trainers.methods.fractions import Number, Whole


class Resources(BaseModel):
    """What one run needs of a machine, or each of its processes; never part of its identity.

    Attributes:
        cpus: cores, and as many CPU threads (rounded down, at least one).
        gpus: GPUs, also a fraction of one; 0 trains on the CPU.
        nodes: machines over which the processes of a run are spread evenly, as far as it has so
            many; None to use as few as possible.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpus: Number = Field(default=1, ge=0.001, le=4096)
    gpus: Number = Field(default=0, ge=0, le=1024)
    nodes: Whole | None = Field(default=None, ge=1, le=1024)

    @field_validator("gpus")
    @classmethod
    def _whole_gpus_or_a_fraction_of_one(cls, gpus: float) -> float:
        if gpus > 1 and gpus != int(gpus):
            raise ValueError(f"{gpus:g} is neither a fraction of one GPU nor a whole number")
        if 0 < gpus < 0.001:
            raise ValueError(f"{gpus:g} is less than the smallest fraction of a GPU, 0.001")
        return gpus

    @property
    def device(self) -> str:
        """The kind of torch device that a run trains on."""
        return "cuda" if self.gpus else "cpu"

    @property
    def threads(self) -> int:
        """CPU threads of one run."""
        return max(1, int(self.cpus))


def slots_of_gpu(gpus: float) -> int:
    """How many slots a GPU has if each takes so much of it: 2 of 0.4, and 1 of more than a half."""
    return 1 if gpus >= 1 else int(1 / gpus + 1e-9)


def gpus_of_slots(gpus: float, multiplier: int) -> float:
    """What a process with so many slots of a GPU has of it.

    All of it with all of them, also where they do not divide it: no other would fit into the rest.
    """
    if multiplier == 1:
        return gpus
    return 1 if multiplier >= slots_of_gpu(gpus) else gpus * multiplier
