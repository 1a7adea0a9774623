"""Arrays that took long to find, kept in a file beside what they were found in."""

from __future__ import annotations

import os
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.storage.regular_file import open_regular
from trainers.storage.unfinished_files import remove_abandoned, unfinished_file


def load_arrays(cache: Path) -> dict[str, NDArray[Any]] | None:
    """What `keep_arrays` has kept; None if it is not there, or damaged in any way.

    Each array has a checksum, which is looked at.
    """
    try:
        with open_regular(cache) as file, np.load(file, allow_pickle=False) as stored:
            return dict(stored)
    except Exception:  # whatever reading made of what is there
        return None


def keep_arrays(cache: Path, **arrays: Any) -> None:
    """Keeps arrays, where there is a place that can be written.

    What killed processes have left there of such files is removed, whatever their key.

    Args:
        cache: a file of which the name is .NAME-KEY.npz.
    """
    name, _, _ = cache.name.rpartition("-")
    with suppress(OSError):
        remove_abandoned(cache.parent, f"{escape(name)}-*{cache.suffix}")
    # Of a place that cannot be written, or is full.
    with suppress(OSError), unfinished_file(cache) as (file, temporary):
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.replace(temporary, cache)
