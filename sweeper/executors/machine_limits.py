"""What this process may use of its machine: the CPUs and the memory that nobody keeps from it.

Limits come from the CPUs that it is bound to, and from control groups (cgroups), of which each may
limit all below it. Versions 1 and 2 differ in their files: man 7 cgroups.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROCESS = Path("/proc/self")

_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")


def usable_cpus(process: Path = PROCESS) -> int:
    """How many CPUs this process may use, at least one; a part of one does not count.

    Args:
        process: its folder in /proc.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [_quota(folder) for folder in _groups(process, "cpu")]
    return max(1, int(min([bound or 1, *(quota for quota in quotas if quota is not None)])))


def usable_memory(process: Path = PROCESS) -> int:
    """How many bytes of memory this process may use, together with others of its groups.

    Args:
        process: its folder in /proc.
    """
    import psutil

    limits = [
        limit
        for folder in _groups(process, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        if (limit := _number(folder / name)) is not None
    ]
    return int(min([psutil.virtual_memory().total, *limits]))


def _quota(folder: Path) -> float | None:
    """In CPUs; None if the group limits nothing."""
    words = _text(folder / "cpu.max").split() or [
        _text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")
    ]
    try:
        quota, period = (int(word) for word in words)
    except ValueError:  # "max", or no such file
        return None
    return quota / period if quota > 0 and period > 0 else None


def _number(file: Path) -> int | None:
    text = _text(file)
    return int(text) if text.isdecimal() else None


def _text(file: Path) -> str:
    try:
        return os.fsdecode(file.read_bytes()).strip()
    except OSError:
        return ""


def _lines(file: Path) -> list[str]:
    # Names of mounts, which may be other users', are as they are but for spaces and line ends.
    return [line for line in _text(file).split("\n") if line]


class _Mount(NamedTuple):
    root: str  # which group lies at the place
    place: Path


def _groups(process: Path, controller: str) -> Iterator[Path]:
    """The folders of the process's group and of those above it, as far as they can be seen."""
    mounts = _mounts(process)
    for line in _lines(process / "cgroup"):
        _, controllers, path = line.split(":", 2)
        # Version 2 has one hierarchy for all controllers, which has no name.
        mount = mounts.get(controller if controller in controllers.split(",") else "")
        if mount is None or (controllers and controller not in controllers.split(",")):
            continue
        # In a container the root of what is mounted may be the container's own group.
        inside = os.path.relpath(path, mount.root)
        folder = mount.place if inside.startswith("..") else mount.place / inside
        while True:
            yield folder
            if folder == mount.place or folder == folder.parent:
                break
            folder = folder.parent


def _mounts(process: Path) -> dict[str, _Mount]:
    """Where groups can be seen, by controller; "" is version 2."""
    found: dict[str, _Mount] = {}
    for line in _lines(process / "mountinfo"):
        fields, _, kind = line.partition(" - ")
        root, place = (_unescaped(word) for word in fields.split(" ")[3:5])
        kind, _, options = kind.split(" ", 2)
        if kind == "cgroup2":
            found.setdefault("", _Mount(root, Path(place)))
        elif kind == "cgroup":
            for controller in options.split(","):
                found.setdefault(controller, _Mount(root, Path(place)))
    return found


def _unescaped(path: str) -> str:
    """With the spaces and the like for which the kernel writes octal numbers."""
    return os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), os.fsencode(path)))
