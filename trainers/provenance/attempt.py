"""What a worker says of itself with each run that it trained."""

from __future__ import annotations

import os
import platform
import socket
import sys
from functools import cache
from importlib.metadata import version
from typing import Any

from trainers.provenance.distributions import imported_distributions
from trainers.provenance.machine import cpu_name, nvidia_driver
from trainers.provenance.repository import git_commit

_version = cache(version)


def provenance(device: str, threads: int) -> dict[str, Any]:
    """Where and with what a run was computed.

    "torch" is None where nothing in this process has imported it, and with it the name of a GPU.
    "packages" has the version of each distribution that this process has imported a module of.
    """
    torch = sys.modules.get("torch")
    name: str | None = platform.processor() or platform.machine()
    cuda = driver = None
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device) if torch is not None else None
        cuda = torch.version.cuda if torch is not None else None
        driver = nvidia_driver()
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "device": device,
        "device_name": name,
        "cpu": cpu_name(),
        "cuda": cuda,
        "nvidia_driver": driver,
        "threads": threads,
        "python": platform.python_version(),
        # A plain string: of torch's own class, unpickling it would import torch into the driver.
        "torch": str(torch.__version__) if torch is not None else None,
        "numpy": _version("numpy"),
        "git_commit": git_commit(),
        "packages": imported_distributions(),
    }
