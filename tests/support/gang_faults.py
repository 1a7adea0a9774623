"""A network of which one process meets a fault when it is told to, as a plug-in of the sweep.

Tests and processes share a folder, which the environment names.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from trainers.models.architecture import Architecture, ModelOptions

VARIABLE = "SWEEP_TEST_GANG_FAULTS"

STEP_SECONDS = 0.1

SPEC = """
name: {name}
model: faulty
depth: 3
dataset: {{name: digits, subset: 128}}
training: {{epochs: 8, batch_size: 16, data_parallel: 2}}
resources: {{cpus: 0.5{resources}}}
faults: {{trainer_error: {{attempts: 2}}, hung: {{seconds: {hung_seconds}}}}}
"""


def install(folder: Path) -> dict[str, str]:
    """Of an environment in which the plug-in is installed, what differs from this one."""
    metadata = folder / "gang_faults-1.0.dist-info"
    metadata.mkdir(parents=True)
    metadata.joinpath("METADATA").write_text(
        "Metadata-Version: 2.1\nName: gang-faults\nVersion: 1.0\n"
    )
    metadata.joinpath("entry_points.txt").write_text(
        "[sweep.models]\nfaulty = gang_faults:FAULTY\n"
    )
    path = os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])
    return {"PYTHONPATH": path, VARIABLE: str(folder)}


def cause(folder: Path, what: str, rank: int) -> None:
    """Has this process "raise", or be "out of memory", in the middle of a step."""
    (folder / f"{what} {rank}").touch()


def pids(folder: Path) -> dict[int, int]:
    """Of those that trained last, by rank."""
    files = folder.glob("rank-*")
    return {int(file.name.removeprefix("rank-")): int(file.read_text()) for file in files}


def build(options: Any, scheme: Any, *, channels: int, classes: int, generator: Any) -> Any:
    """A small network, in which each training step begins with `meet`."""
    from torch import nn

    from trainers.models.initialisation import initialise
    from trainers.models.network import Network

    class Meeting(nn.Module):
        def forward(self, images: Any) -> Any:
            if self.training:
                meet(Path(os.environ[VARIABLE]))
            return images

    network: Any = Network()
    network.stem = nn.Sequential(Meeting(), nn.Conv2d(channels, 8, 3, padding=1, bias=False))
    network.blocks = nn.ModuleList(
        nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        for _ in range(options.depth)
    )
    network.classifier = nn.Linear(8, classes)
    initialise(network, generator)
    return network


def meet(folder: Path) -> None:
    """What this process was told to."""
    from torch.distributed import get_rank

    rank = get_rank()
    written = folder / f".rank-{rank}"
    written.write_text(str(os.getpid()))
    written.rename(folder / f"rank-{rank}")
    time.sleep(STEP_SECONDS)
    for what in ("raise", "out of memory"):
        told = folder / f"{what} {rank}"
        if told.exists():
            told.unlink()
            print(f"rank {rank} is to {what}", flush=True)
            raise RuntimeError(
                "as it was told"
                if what == "raise"
                else "DefaultCPUAllocator: can't allocate memory"
            )


FAULTY = Architecture(options=ModelOptions, builder="gang_faults:build", sources=(__file__,))
