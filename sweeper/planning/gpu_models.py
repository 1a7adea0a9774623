"""Which GPU runs are planned for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from results.records import CostSample
from sweeper.planning.devices import USUAL_GPU, Device, known, named

_DRIVER = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True)
class Choice:
    """A GPU, and why it is this one.

    Attributes:
        device: that all runs are planned for.
        why: half a sentence for the user.
        certain: whether it is there, or was asked for.
        largest: the one with the most memory among those that may be meant; one of which nothing
            is known may have more than all.
    """

    device: Device
    why: str
    certain: bool
    largest: Device


def choose_gpu(
    asked: str | None, models: Sequence[str] = (), samples: Sequence[CostSample] = ()
) -> Choice:
    """The one that was asked for, or is there, or has trained before; USUAL_GPU else.

    Args:
        asked: a name; None for none.
        models: that are there, by the names that drivers or Ray have for them. Of several the
            one with the least memory counts.
        samples: of finished runs.

    Raises RequestError for a name that nothing is known of.
    """
    if asked is not None:
        device = named(asked)
        return Choice(device, "as --device says", True, device)
    if there := [known(model) or USUAL_GPU.like(model) for model in sorted(set(models))]:
        least = min(there, key=lambda device: device.memory or 0)
        most = max(there, key=lambda device: inf if device.memory is None else device.memory)
        return Choice(least, "which is there", True, most)
    trained = Counter[str]()
    for sample in samples:
        if sample.device_name and (sample.device or "").startswith("cuda"):
            trained[sample.device_name] += sample.runs
    for name, _ in trained.most_common(1):
        device = known(name) or USUAL_GPU.like(name)
        return Choice(device, "on which runs have trained", False, device)
    return Choice(USUAL_GPU, "--device names another", False, USUAL_GPU)


def models_here(folder: Path = _DRIVER) -> list[str]:
    """Names of this machine's NVIDIA GPUs, as their driver has them."""
    found = []
    for file in sorted(folder.glob("*/information")):
        try:
            lines = file.read_text(errors="replace").splitlines()
        except OSError:
            continue
        found += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return found
