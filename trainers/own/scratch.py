"""The folder that a trainer writes its files into while it trains: where it is, what is in it."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from sweep_plugins.file_path import problem_of_path
from trainers.storage import Folder
from trainers.storage.regular_file import unfit

SCRATCH = "files"
"""Its name in the attempt's folder, where that is on a disk."""

_TEMPORARY = re.compile(r"sweep-files-(?P<here>[0-9a-f]{16})-(?P<pid>\d+)-(?P<start>\d+)-\w+")


def scratch_folder(folder: Folder | None) -> Path:
    """Where to write: in the attempt's folder, or if that is on no disk, among temporary files."""
    beside = None if folder is None else folder.path
    if beside is not None:
        return beside / SCRATCH
    owner = f"{_here()}-{os.getpid()}-{_start_of(os.getpid()) or 0}"
    return Path(tempfile.gettempdir(), f"sweep-files-{owner}-{secrets.token_hex(8)}")


def found_in(root: Path) -> Iterator[tuple[str, str | None]]:
    """What is in a folder and in its folders: each path, and why it cannot be kept."""
    if root.is_symlink() or not root.is_dir():
        yield "job.files", "it is no folder any more"
        return
    waiting = [""]
    while waiting:
        before = waiting.pop()
        try:
            with os.scandir(root / before) as entries:
                for entry in entries:
                    path = before + entry.name
                    problem = problem_of_path(path)
                    if problem is None and entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{path}/")
                    else:
                        yield path, problem or _kind(entry)
        except OSError as error:
            yield before, f"it cannot be read: {error.strerror}"


def _kind(entry: os.DirEntry[str]) -> str | None:
    """What else than a file it is; None if it is one."""
    if entry.is_symlink():
        return "it is a symbolic link"
    try:
        problem = unfit(entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        return "it has gone"
    return None if problem is None else f"it is {problem}"


def remove_folder(path: Path) -> None:
    """Whatever a trainer has put there, as far as it can be removed."""
    if path.is_symlink():
        path.unlink(missing_ok=True)
    elif path.exists():
        shutil.rmtree(path, ignore_errors=True)


def remove_those_of_killed_processes() -> None:
    """Removes folders among temporary files whose process, of this user, runs no more.

    Only processes that this one would see are judged: a folder for temporary files may be shared
    with other machines and containers.
    """
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            named = _TEMPORARY.fullmatch(entry.name)
            if named is None or named["here"] != _here():
                continue
            with suppress(OSError):
                mine = entry.stat(follow_symlinks=False).st_uid == os.geteuid()
                if mine and not _runs(int(named["pid"]), int(named["start"])):
                    remove_folder(Path(entry.path))


def _runs(pid: int, start: int) -> bool:
    """Whether the process does that began then, as far as that can be told."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # somebody else's
    return _start_of(pid) in (None, start)


def _start_of(pid: int) -> int | None:
    """When a process began, by the machine's count of ticks; None where that is not known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        # proc_pid_stat(5): the name, in parentheses, may hold anything; "starttime" is field 22.
        return int(stat.rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


@cache
def _here() -> str:
    """The same for all processes that see each other by the same numbers, since the last boot."""
    seen = [socket.gethostname()]
    with suppress(OSError):
        seen.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    for namespace in ("pid", "time"):
        with suppress(OSError):
            seen.append(os.readlink(f"/proc/self/ns/{namespace}"))
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:16]
