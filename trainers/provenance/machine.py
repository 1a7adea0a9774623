"""The processor and the driver of GPUs of this machine, by their names."""

from __future__ import annotations

import platform
import re
import subprocess
from functools import cache
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")
_NVIDIA = Path("/proc/driver/nvidia/version")


@cache
def cpu_name() -> str | None:
    """Such as "AMD EPYC 9654 96-Core Processor"; of a kind that has no name, its architecture."""
    try:
        if platform.system() == "Darwin":
            asked = ("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string")
            return subprocess.run(
                asked, check=True, capture_output=True, text=True, timeout=5
            ).stdout.strip()
        # Of the first processor; on hundreds of cores the file is long.
        with _CPU_INFO.open(errors="replace") as lines:
            for line in lines:
                key, _, name = line.partition(":")
                if key.strip() == "model name":
                    return name.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return platform.machine() or None


@cache
def nvidia_driver() -> str | None:
    """The version of NVIDIA's driver, such as "570.86.15"; None if it cannot be known."""
    try:
        text = _NVIDIA.read_text(errors="replace")
    except OSError:
        return None
    found = re.search(r"Kernel Module\D*(\d+(?:\.\d+)+)", text)
    return None if found is None else found[1]
