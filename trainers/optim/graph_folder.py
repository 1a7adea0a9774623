"""Where compiled graphs are kept on a machine: in a folder that nobody else can write into.

Torch runs what it finds there, and the folder that it would choose itself has a name that anybody
can guess, in /tmp, where anybody can make it first.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from trainers.errors import TrainerError

VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
"""Torch's own; a folder that is named here is used instead of ours."""


def graph_folder() -> Path:
    """The folder, which is there; from now on it is torch's as well.

    Raises TrainerError if it cannot be made, is another user's, or others can write into it.
    """
    given = os.environ.get(VARIABLE)
    default = Path(tempfile.gettempdir(), f"sweep-graphs-{os.geteuid()}")
    folder = Path(given).absolute() if given else default
    try:
        folder.mkdir(mode=0o700, parents=given is not None, exist_ok=True)
        # A link there may be another user's, and lead anywhere.
        found = folder.stat() if given else folder.lstat()
        problem = _problem(found)
        if problem is None and not given and stat.S_IMODE(found.st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError as error:
        problem = f"cannot be made ({error.strerror})"
    if problem is not None:
        raise TrainerError(
            f"{folder}, where compiled graphs are kept, {problem}: remove it, or name another"
            f" folder in {VARIABLE}"
        )
    os.environ[VARIABLE] = str(folder)
    return folder


def keep_headers_in(folder: Path) -> None:
    """Has torch keep compiled C++ headers in the folder too; imports its compiler.

    It chooses their place when it is imported, and not by TORCHINDUCTOR_CACHE_DIR.
    """
    from torch._inductor import codecache

    headers = folder / "precompiled_headers"
    codecache._HEADER_DIR, codecache._HEADER_LOCK_DIR = str(headers), str(headers / "locks")


def _problem(found: os.stat_result) -> str | None:
    if not stat.S_ISDIR(found.st_mode):
        return "is no folder"
    if found.st_uid not in (os.geteuid(), 0):
        return f"belongs to another user (with the id {found.st_uid}), and graphs are code"
    if found.st_mode & stat.S_IWOTH:
        return "can be written by every user, and graphs are code"
    return None
